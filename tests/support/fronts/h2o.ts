import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import { runningOn, served, startApps } from './served.ts'

const traits: Traits = {
  streamsResponses: true,
  flushesHeads: false,
  streamsBodies: false,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1;b=2',
  host: 'as sent',
  emptyLength: 'as sent',
  failedResponse: 'looks complete',
  logsErrors: true,
}

interface H2oMode extends Mode {
  socket: 'tcp' | 'unix'
  settings: string
}

const modes: readonly H2oMode[] = [
  { name: 'fastcgi.connect over TCP', prefix: '', traits, socket: 'tcp', settings: '' },
  {
    name: 'fastcgi.connect over a Unix socket, with fastcgi.timeout.keepalive',
    prefix: '',
    traits,
    socket: 'unix',
    settings: 'fastcgi.timeout.keepalive: 5000',
  },
]

export const h2o: Front = {
  name: 'H2O',
  modes,
  async start(site) {
    const file = required('h2o')
    const all = served(modes)
    const listening = await startApps(site)
    const { ports } = await site.startServer(all.length, (ports) => {
      const hosts = all.map(({ mode, app }, index) => {
        const at = listening[app][mode.socket]
        const connect =
          'path' in at
            ? `{ port: ${at.path}, type: unix }`
            : `{ host: ${at.host}, port: ${at.port}, type: tcp }`
        return `
  "*:${ports[index]}":
    listen: { host: 127.0.0.1, port: ${ports[index]} }
    paths:
      "/":
        fastcgi.connect: ${connect}
        ${mode.settings}`
      })
      const config = site.write(
        'h2o.conf',
        `
${process.getuid?.() === 0 ? 'user: root' : ''}
num-threads: 1
error-log: ${site.path('error.log')}
pid-file: ${site.path('h2o.pid')}
hosts:
${hosts.join('\n')}
`,
      )
      return { file, args: ['-m', 'worker', '-c', config] }
    })
    return runningOn(all, ports)
  },
}
