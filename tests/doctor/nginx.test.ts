import { type Fault, testFaults } from './faults.ts'
import { encodedNginx, mountedNginx, nginx } from './setups/nginx.ts'

const missing = (name: string): Fault => ({
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
  place: Fault['place'] = 'location',
): Fault => ({
  name,
  codes: [code],
  ...(without && { without }),
  wrong: { [typeof place === 'string' ? place : 'location']: wrong },
  place,
})

testFaults(nginx, [
  ...['REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'SERVER_PROTOCOL', 'SERVER_NAME', 'SERVER_PORT'].map(
    missing,
  ),
  ...['REMOTE_ADDR', 'CONTENT_LENGTH', 'CONTENT_TYPE'].map(missing),
  line('wrong-request-uri', 'a decoded REQUEST_URI', /REQUEST_URI/, ['fastcgi_param REQUEST_URI $uri;']),
  line('wrong-query-string', 'an empty QUERY_STRING', /QUERY_STRING/, ['fastcgi_param QUERY_STRING "";']),
  line('body-lost', 'request bodies are not passed on', undefined, ['fastcgi_pass_request_body off;']),
  line('headers-lost', 'request headers are not passed on', undefined, ['fastcgi_pass_request_headers off;']),
  line('mount', 'SCRIPT_NAME of fastcgi_params, which is the whole path', /SCRIPT_NAME|PATH_INFO|split/, [
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
  line('authorization', 'Authorization is removed', undefined, ['fastcgi_param HTTP_AUTHORIZATION "";']),
  line('host-port', "Debian's HTTP_HOST, without the port", /HTTP_HOST/, ['fastcgi_param HTTP_HOST $host;']),
  line('underscores', 'headers with underscores', undefined, ['underscores_in_headers on;'], 'server'),
  line('httpoxy', 'the Proxy header', /HTTP_PROXY/, []),
  line('body-limit', 'the default limit of the request body', /client_max_body_size/, [], 'server'),
  {
    ...line(
      'buffering',
      'the default response buffering',
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
    name: 'methods that are not forwarded',
    codes: ['methods'],
    wrong: { location: ['limit_except GET POST { deny all; }'] },
  },
  line('head-size', 'the default limit of response headers', /fastcgi_buffer(s|_size)/, []),
  line('keep-conn', 'connections are not reused', /keepalive|keep_conn/, [], ['upstream', 'location']),
])

testFaults(mountedNginx, [
  line('mount', 'SCRIPT_NAME is the whole path', /SCRIPT_NAME|PATH_INFO|split/, [
    'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
  ]),
])

testFaults(encodedNginx, [
  line('mount', 'SCRIPT_NAME is the whole path', /SCRIPT_NAME|PATH_INFO|split/, [
    'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
  ]),
])
