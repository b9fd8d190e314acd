import { apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode, Traits } from './front.ts'

// The response ends when the program's output ends, and the request body ends when its input ends, even after a
// failure.
const traits: Traits = {
  ...apacheTraits,
  abortsUploads: false,
  failedResponse: 'looks complete',
  startsPerRequest: true,
}

const modes: readonly Mode[] = [{ name: 'ScriptAlias', prefix: '/shop', traits }]

/** mod_cgid starts the same program as mod_fcgid, but once per request. */
export const apacheCgi: Front = apacheFront('Apache CGI', modes, async (site, all) => ({
  modules: ['cgid'],
  server: `ScriptSock ${site.path('cgid.sock')}`,
  hosts: all.map(({ mode, app }) => {
    const program = site.writeProgram(`${app}.fcgi`, app)
    return `
      ScriptAlias "${mode.prefix}" "${program}"
      <Location "${mode.prefix}">
        CGIPassAuth On
      </Location>`
  }),
}))
