import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { runningOn, served, startApps } from './served.ts'
import { isAtLeast } from './versions.ts'

const traits: Traits = {
  streamsAnswers: true,
  sendsHeadAlone: true,
  streamsBodies: true,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1; b=2',
  host: 'as sent',
  emptyLength: 'by method',
  brokenAnswer: 'cut',
  logsErrors: true,
  // A request on a shared connection can be refused with 500: see `modes`. HAProxy 3.0 and later may also close the client's
  // connection without a response.
  refusals: isAtLeast('haproxy', '3.0') ? [500, 'Error: socket hang up'] : [500],
}

interface HaproxyMode extends Mode {
  socket: 'tcp' | 'unix'
  /** What the fcgi-app has beside what all have. */
  options: string
  /** What the proxy has. */
  settings: string
}

// Few requests share a connection: HAProxy 2.6 and 3.0 answer 500 themselves when the params of a new request do not fit into the
// rest of a buffer of 16 KiB, in which the params and bodies of the others wait to be sent. With eight clients at once, whose
// uploads the app refuses, that is one request in eight.
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

/** Keeps connections, and sends FCGI_KEEP_CONN, by default. */
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
  # Else the pieces of an answer may be 200 ms late.
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
