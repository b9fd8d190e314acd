import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { runningOn, served, startApps } from './served.ts'
import { isAtLeast } from './versions.ts'

const traits: Traits = {
  streamsResponses: true,
  flushesHeads: true,
  streamsBodies: true,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1; b=2',
  host: 'as sent',
  emptyLength: 'by method',
  failedResponse: 'aborted',
  logsErrors: true,
  // A request on a shared connection can be refused with 500: see `modes`. HAProxy 3.0 and later may also close the client's
  // connection without a response.
  refusals: isAtLeast('haproxy', '3.0') ? [500, 'Error: socket hang up'] : [500],
}

interface HaproxyMode extends Mode {
  socket: 'tcp' | 'unix'
  /** Additional options of the fcgi-app. */
  options: string
  /** Settings of the proxy. */
  settings: string
}

// Limit the requests per connection. HAProxy 2.6 and 3.0 respond with 500 if the params of a new request do not fit in
// the rest of a buffer of 16 KiB, in which the params and bodies of other requests wait to be sent. With eight
// concurrent clients, whose uploads the app refuses, that affects one request in eight.
const modes: readonly HaproxyMode[] = [
  { name: 'one request at a time, over TCP', prefix: '', traits, socket: 'tcp', options: '', settings: '' },
  {
    name: 'mpxs-conns over a Unix socket',
    prefix: '',
    traits,
    socket: 'unix',
    options: 'option mpxs-conns\n  option max-reqs 8',
    settings: 'http-reuse always',
  },
]

/** By default HAProxy keeps connections and sends FCGI_KEEP_CONN. */
export const haproxy: Front = {
  name: 'HAProxy',
  modes,
  async start(site) {
    const file = required('haproxy')
    const all = served(modes)
    const listening = await startApps(site)
    const { ports } = await site.startServer(all.length, (ports) => {
      const servers = all.map(({ mode, app }, index) => {
        const at = listening[app][mode.socket]
        return `
fcgi-app app${index}
  docroot /srv
  log-stderr global
  pass-header Authorization
  ${mode.options}

listen front${index}
  bind 127.0.0.1:${ports[index]}
  ${mode.settings}
  use-fcgi-app app${index}
  server app ${'path' in at ? `unix@${at.path}` : `${at.host}:${at.port}`} proto fcgi
`
      })
      const config = site.write(
        'haproxy.cfg',
        `
global
  nbthread 1
  maxconn 1000
  log stderr format raw daemon

defaults
  mode http
  # Without this, pieces of a response may be delayed by 200 ms.
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s
${servers.join('')}`,
      )
      return { file, args: ['-db', '-f', config] }
    })
    return runningOn(all, ports)
  },
}
