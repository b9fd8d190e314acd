import type { Front, Mode, Traits } from './front.ts'
import { lighttpdTraits, sockets, startLighttpd } from './lighttpd.ts'
import { runningOn, served } from './served.ts'

// The response ends when the program's output ends, even if the program fails.
const traits: Traits = { ...lighttpdTraits, failedResponse: 'looks complete', startsPerRequest: true }

const modes: readonly Mode[] = [{ name: 'cgi.assign', prefix: '/app.fcgi', traits }]

/** mod_cgi starts the same program as bin-path, but once per request. */
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
