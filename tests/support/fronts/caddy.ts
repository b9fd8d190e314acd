import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { runningOn, served, startApps } from './served.ts'

const traits: Traits = {
  streamsResponses: true,
  flushesHeads: true,
  streamsBodies: true,
  abortsUploads: true,
  dropsBodyOf: ['OPTIONS'],
  joinedCookies: 'a=1, b=2',
  host: 'as sent',
  emptyLength: 'as sent',
  failedResponse: 'looks complete',
  logsErrors: false,
}

interface CaddyMode extends Mode {
  socket: 'tcp' | 'unix'
}

const modes: readonly CaddyMode[] = [
  { name: 'transport fastcgi over TCP', prefix: '', traits, socket: 'tcp' },
  { name: 'transport fastcgi over a Unix socket', prefix: '', traits, socket: 'unix' },
]

export const caddy: Front = {
  name: 'Caddy',
  modes,
  async start(site) {
    const file = required('caddy')
    const all = served(modes)
    const listening = await startApps(site)
    const { ports } = await site.startServer(all.length, (ports) => {
      const servers = all.map(({ mode, app }, index) => {
        const at = listening[app][mode.socket]
        return `
          :${ports[index]} {
            bind 127.0.0.1
            reverse_proxy ${'path' in at ? `unix/${at.path}` : `${at.host}:${at.port}`} {
              transport fastcgi
              # Without this, only text/event-stream is forwarded at once.
              flush_interval -1
            }
          }`
      })
      const config = site.write(
        'Caddyfile',
        `{
          admin off
          auto_https off
        }
        ${servers.join('\n')}`,
      )
      const home = site.makeFolder('home')
      const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
      return { file, args: ['run', '--config', config, '--adapter', 'caddyfile'], env }
    })
    return runningOn(all, ports)
  },
}
