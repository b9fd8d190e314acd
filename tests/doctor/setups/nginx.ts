import { makeCertificate } from '../../support/fronts/certificate.ts'
import { startNginx } from '../../support/fronts/nginx.ts'
import type { Site } from '../../support/fronts/site.ts'
import type { Config, FrontSetup } from '../faults.ts'

/** The app is mounted at the root. */
export const nginx: FrontSetup = {
  name: 'nginx, no mount',
  prefix: '',
  healthy: healthy(''),
  start: (site, config) => start(site, config, '/'),
}

/** The app is mounted at /shop. */
export const mountedNginx: FrontSetup = {
  name: 'nginx, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start: (site, config) => start(site, config, '/shop'),
}

/** The app is mounted at a path that is percent-encoded in URLs. */
export const encodedNginx: FrontSetup = {
  name: 'nginx, an encoded mount',
  prefix: '/caf%C3%A9',
  healthy: healthy('/café'),
  start: (site, config) => start(site, config, '/café'),
}

/** The server terminates TLS. */
export const nginxWithTls: FrontSetup = {
  ...nginx,
  name: 'nginx with TLS',
  async start(site, config) {
    const { cert, key } = makeCertificate(site)
    const tls = [`ssl_certificate ${cert};`, `ssl_certificate_key ${key};`]
    const { origin, args } = await start(site, { ...config, server: [...config.server!, ...tls] }, '/', 'ssl')
    return { origin: origin.replace('http:', 'https:'), args: [...args, '--insecure'] }
  },
}

// The lines of nginx's own fastcgi_params, and the lines that a good config adds.
function healthy(prefix: string): Config {
  return {
    http: [],
    upstream: ['keepalive 16;'],
    server: ['client_max_body_size 20m;'],
    location: [
      'fastcgi_param QUERY_STRING $query_string;',
      'fastcgi_param REQUEST_METHOD $request_method;',
      'fastcgi_param CONTENT_TYPE $content_type;',
      'fastcgi_param CONTENT_LENGTH $content_length;',
      'fastcgi_param REQUEST_URI $request_uri;',
      'fastcgi_param SERVER_PROTOCOL $server_protocol;',
      'fastcgi_param REQUEST_SCHEME $scheme;',
      'fastcgi_param HTTPS $https if_not_empty;',
      'fastcgi_param GATEWAY_INTERFACE CGI/1.1;',
      'fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;',
      'fastcgi_param REMOTE_ADDR $remote_addr;',
      'fastcgi_param REMOTE_PORT $remote_port;',
      'fastcgi_param SERVER_ADDR $server_addr;',
      'fastcgi_param SERVER_PORT $server_port;',
      'fastcgi_param SERVER_NAME $server_name;',
      `fastcgi_split_path_info ^(${prefix})(/.*)?$;`,
      'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
      'fastcgi_param PATH_INFO $fastcgi_path_info;',
      'fastcgi_param HTTP_HOST $host:$server_port;',
      'fastcgi_param HTTP_PROXY "";',
      'fastcgi_keep_conn on;',
      'fastcgi_buffering off;',
      'fastcgi_buffer_size 16k;',
      'fastcgi_buffers 8 16k;',
    ],
  }
}

async function start(
  site: Site,
  config: Config,
  location: string,
  listen = '',
): Promise<{ origin: string; args: string[] }> {
  const socket = site.path('app.sock')
  const { http, upstream, server, location: lines } = config
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      ${http!.join('\n')}
      upstream app { server unix:${socket}; ${upstream!.join('\n')} }
      server {
        listen 127.0.0.1:${port} ${listen};
        server_name front.test;
        ${server!.join('\n')}
        location ${location} { fastcgi_pass app; ${lines!.join('\n')} }
      }`,
  )
  return { origin: `http://127.0.0.1:${port}`, args: ['--app', socket] }
}
