import { apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode, Traits } from './front.ts'

// The end of a program's output is the end of its answer, and of its input the end of the request, however it came.
const traits: Traits = {
  ...apacheTraits,
  abortsUploads: false,
  brokenAnswer: 'nothing',
  startsPerRequest: true,
}

const modes: readonly Mode[] = [{ name: 'ScriptAlias', prefix: '/shop', traits }]

/** mod_cgid: the same program as with mod_fcgid, started for each request. */
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
