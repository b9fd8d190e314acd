import { startNginx } from '../fronts/nginx.ts'
import type { Site } from '../fronts/site.ts'
import { type Config, type Diagnosis, describeDiagnoses, type Patient } from './diagnoses.ts'

const nginx: Patient = {
  name: 'nginx, the whole site',
  prefix: '',
  healthy: healthy(''),
  start: (site, config) => start(site, config, '/'),
}

const mounted: Patient = {
  name: 'nginx, a mount',
  prefix: '/shop',
  healthy: healthy('/shop'),
  start: (site, config) => start(site, config, '/shop'),
}

const missing = (name: string): Diagnosis => ({
  name: `${name} is missing`,
  codes: [`missing-${name.toLowerCase().replaceAll('_', '-')}`],
  without: new RegExp(`fastcgi_param ${name} `),
  place: 'location',
})

const line = (
  code: string,
  name: string,
  without: RegExp | undefined,
  wrong: string[],
  place: Diagnosis['place'] = 'location',
): Diagnosis => ({
  name,
  codes: [code],
  ...(without && { without }),
  wrong: { [typeof place === 'string' ? place : 'location']: wrong },
  place,
})

describeDiagnoses(nginx, [
  ...['REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'SERVER_PROTOCOL', 'SERVER_NAME', 'SERVER_PORT'].map(
    missing,
  ),
  ...['REMOTE_ADDR', 'CONTENT_LENGTH', 'CONTENT_TYPE'].map(missing),
  line('wrong-request-uri', 'REQUEST_URI decoded', /REQUEST_URI/, ['fastcgi_param REQUEST_URI $uri;']),
  line('wrong-query-string', 'QUERY_STRING of a rewrite', /QUERY_STRING/, ['fastcgi_param QUERY_STRING "";']),
  line('body-lost', 'no bodies', undefined, ['fastcgi_pass_request_body off;']),
  line('headers-lost', 'no headers', undefined, ['fastcgi_pass_request_headers off;']),
  line('mount', "fastcgi_params' SCRIPT_NAME, the whole path", /SCRIPT_NAME|PATH_INFO|split/, [
    'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
  ]),
  {
    name: 'PATH_INFO from REQUEST_URI',
    codes: ['path-info-encoded'],
    without: /SCRIPT_NAME|PATH_INFO|split/,
    wrong: {
      http: ['map $request_uri $raw { ~^(?<path>[^?]*) $path; }'],
      location: ['fastcgi_param SCRIPT_NAME "";', 'fastcgi_param PATH_INFO $raw;'],
    },
    place: 'location',
  },
  line('authorization', 'Authorization stripped', undefined, ['fastcgi_param HTTP_AUTHORIZATION "";']),
  line('host-port', "Debian's HTTP_HOST, without the port", /HTTP_HOST/, ['fastcgi_param HTTP_HOST $host;']),
  line('underscores', 'headers with underscores', undefined, ['underscores_in_headers on;'], 'server'),
  line('httpoxy', 'the Proxy header', /HTTP_PROXY/, []),
  line('body-limit', 'the stock limit of bodies', /client_max_body_size/, [], 'server'),
  {
    ...line(
      'buffering',
      'the stock buffering',
      /fastcgi_buffering|keep/,
      [],
      ['upstream', 'location', 'location'],
    ),
    codes: ['buffering', 'keep-conn'],
  },
  line('error-pages', 'error pages of nginx', undefined, [
    'fastcgi_intercept_errors on;',
    'error_page 404 /missing.html;',
  ]),
  {
    name: 'methods that are not let through',
    codes: ['methods'],
    wrong: { location: ['limit_except GET POST { deny all; }'] },
  },
  line('head-size', 'the stock size of a head', /fastcgi_buffer(s|_size)/, []),
  line('keep-conn', 'no kept connections', /keepalive|keep_conn/, [], ['upstream', 'location']),
])

describeDiagnoses(mounted, [
  line('mount', 'SCRIPT_NAME is the whole path', /SCRIPT_NAME|PATH_INFO|split/, [
    'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
  ]),
])

// What nginx ships, line by line, and what it takes beside that.
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
        listen 127.0.0.1:${port};
        server_name front.test;
        ${server!.join('\n')}
        location ${location} { fastcgi_pass app; ${lines!.join('\n')} }
      }`,
  )
  return { origin: `http://127.0.0.1:${port}`, args: ['--app', socket] }
}
