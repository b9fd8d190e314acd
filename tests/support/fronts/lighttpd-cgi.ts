import type { Front, Mode, Traits } from './front.ts'
import { lighttpdTraits, sockets, startLighttpd } from './lighttpd.ts'
import { runningOn, served } from './served.ts'

// The end of a program's output is the end of its answer, however the program ends.
const traits: Traits = { ...lighttpdTraits, brokenAnswer: 'nothing', startsPerRequest: true }

const modes: readonly Mode[] = [{ name: 'cgi.assign', prefix: '/app.fcgi', traits }]

/** mod_cgi: the same program as with bin-path, started for each request. */
export const lighttpdCgi: Front = {
  name: 'lighttpd CGI',
  modes,
  async start(site) {
    const all = served(modes)
    const hosts = all.map(({ app }) => {
      const folder = `documents-${app}`
      site.makeFolder(folder)
      site.writeProgram(`${folder}/app.fcgi`, app)
      return `
        server.document-root = "${site.path(folder)}"
        server.stream-response-body = 1
        cgi.assign = (".fcgi" => "")`
    })
    const ports = await startLighttpd(
      site,
      all.length,
      (ports) => `server.modules = ("mod_cgi")\n${sockets(ports, hosts)}`,
    )
    return runningOn(all, ports)
  },
}
