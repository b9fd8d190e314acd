import type { Front, Mode, Traits } from './front.ts'
import type { Listening } from './ports.ts'
import { required } from './programs.ts'
import { runningOn, served, startApps } from './served.ts'
import type { Site } from './site.ts'

const traits: Traits = {
  streamsResponses: false,
  flushesHeads: true,
  streamsBodies: false,
  abortsUploads: true,
  dropsBodyOf: [],
  joinedCookies: 'a=1; b=2',
  host: 'lower case, no port', // Debian's fastcgi_params: HTTP_HOST is $host.
  emptyLength: 'as sent',
  failedResponse: 'aborted',
  logsErrors: true,
}

interface NginxMode extends Mode {
  socket: 'tcp' | 'unix'
  upstream: string
  location: string
}

const UNBUFFERED = 'fastcgi_buffering off; fastcgi_request_buffering off;'

const modes: readonly NginxMode[] = [
  { name: 'fastcgi_pass over TCP', prefix: '', traits, socket: 'tcp', upstream: '', location: '' },
  {
    name: 'fastcgi_pass over a Unix socket, unbuffered',
    prefix: '',
    traits: { ...traits, streamsResponses: true, streamsBodies: true },
    socket: 'unix',
    upstream: '',
    location: UNBUFFERED,
  },
  {
    name: 'fastcgi_keep_conn and keepalive over a Unix socket',
    prefix: '',
    traits,
    socket: 'unix',
    upstream: 'keepalive 8;',
    location: 'fastcgi_keep_conn on;',
  },
  {
    name: 'fastcgi_keep_conn and keepalive over TCP, unbuffered',
    prefix: '',
    traits: { ...traits, streamsResponses: true, streamsBodies: true },
    socket: 'tcp',
    upstream: 'keepalive 8;',
    location: `fastcgi_keep_conn on; ${UNBUFFERED}`,
  },
]

export const nginx: Front = {
  name: 'nginx',
  modes,
  async start(site) {
    const all = served(modes)
    const listening = await startApps(site)
    const ports = await startNginx(site, all.length, (ports) => {
      const servers = all.map(({ mode, app }, index) => {
        const at = listening[app][mode.socket]
        const address = 'path' in at ? `unix:${at.path}` : `${at.host}:${at.port}`
        return `
          upstream app${index} { server ${address}; ${mode.upstream} }
          server {
            listen 127.0.0.1:${ports[index]};
            location / { include /etc/nginx/fastcgi_params; fastcgi_pass app${index}; ${mode.location} }
          }`
      })
      return `client_max_body_size 0;\n${servers.join('\n')}`
    })
    return runningOn(all, ports)
  },
}

/**
 * Starts an nginx on one port, before the app at this address. `location` and `upstream` are more directives. Resolves with the port. The
 * app need not listen yet.
 */
export async function startNginxBefore(
  site: Site,
  at: Listening,
  location = '',
  upstream = '',
): Promise<number> {
  const address = 'path' in at ? `unix:${at.path}` : `${at.host}:${at.port}`
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      upstream app { server ${address}; ${upstream} }
      server {
        listen 127.0.0.1:${port};
        location / { include /etc/nginx/fastcgi_params; fastcgi_pass app; ${location} }
      }`,
  )
  return port!
}

/** Starts an nginx on `count` ports. `configure` returns the contents of its `http { … }`. Resolves with the ports. */
export async function startNginx(
  site: Site,
  count: number,
  configure: (ports: number[]) => string | Promise<string>,
): Promise<number[]> {
  const file = required('nginx')
  const temporary = site.makeFolder('temporary')
  const { ports } = await site.startServer(count, async (ports) => {
    const config = site.write(
      'nginx.conf',
      `
      ${process.getuid?.() === 0 ? 'user root;' : ''}
      daemon off;
      worker_processes 1;
      pid ${site.path('nginx.pid')};
      error_log ${site.path('error.log')};
      events {}
      http {
        access_log off;
        client_body_temp_path ${temporary}/body;
        fastcgi_temp_path ${temporary}/fastcgi;
        proxy_temp_path ${temporary}/proxy;
        scgi_temp_path ${temporary}/scgi;
        uwsgi_temp_path ${temporary}/uwsgi;
        ${await configure(ports)}
      }`,
    )
    return { file, args: ['-c', config, '-e', site.path('error.log')] }
  })
  return ports
}
