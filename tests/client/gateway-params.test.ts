// Compares, field by field, the params that the gateway, nginx and Apache send for the same HTTP request. Each difference is listed
// with its reason. The test fails for a difference that is not listed, and for a listed one that does not occur.
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createGateway } from '@fcgi-bridge/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { Site } from '../support/fronts/site.ts'
import { isAtLeast } from '../support/fronts/versions.ts'

type Params = Record<string, string>
type FrontName = 'nginx' | 'mod_proxy_fcgi' | 'mod_fcgid'
type Difference = [fronts: FrontName | 'Apache', names: string, why: string]

// The params that are not compared.
const LEFT_OUT: readonly [names: RegExp, why: string][] = [
  [/^SERVER_(SOFTWARE|SIGNATURE|ADMIN)$/, 'each server has its own'],
  [/^(SERVER|REMOTE)_PORT$/, 'each server has its own; tested in packages/client'],
  [
    /^(DOCUMENT_ROOT|SCRIPT_FILENAME|PATH_TRANSLATED|CONTEXT_\w+)$/,
    'the gateway has no files without documentRoot',
  ],
  [/^(PATH|ap_trust_cgilike_cl|proxy-nokeepalive)$/, "Apache's own environment"],
  [/^Authorization$/, "FcgidPassHeader's own name for HTTP_AUTHORIZATION"],
  [/^DOCUMENT_URI$/, "nginx's own; the gateway sends it too"],
  [/^REDIRECT_STATUS$/, "nginx's, for php-cgi; the gateway sends it too"],
  [/^REMOTE_USER$/, 'nginx sends the unchecked user name of Authorization'],
  [/^HTTP_CONTENT_(TYPE|LENGTH)$/, 'nginx sends them twice'],
  [
    /^HTTP_(CONNECTION|KEEP_ALIVE|TE|TRAILER|UPGRADE|PROXY_CONNECTION)$/,
    'hop-by-hop headers: the gateway drops them',
  ],
  [/^HTTP_EXPECT$/, 'the gateway handles it itself'],
]

const NAME_OF_NGINX: Difference = ['nginx', 'SERVER_NAME', 'its server_name, whatever Host the client sends']
const STREAMED: Difference[] = [
  ['nginx', 'CONTENT_LENGTH', 'buffers the whole body; the gateway streams it'],
  ['Apache', 'CONTENT_LENGTH HTTP_TRANSFER_ENCODING', 'buffers the whole body if it is small'],
]

const LATER_NGINX: Difference[] = isAtLeast('nginx', '1.23')
  ? [['nginx', 'CONTENT_TYPE', 'joins the values since 1.23']]
  : []

interface Case {
  name: string
  /** The start line and the header lines without Connection, optionally with the blank line and a body. */
  http: string
  differences?: readonly Difference[]
}

const HOST = '\r\nHost: front.test'

function get(target: string, differences: readonly Difference[] = []): Case {
  return { name: target, http: `GET ${target} HTTP/1.1${HOST}`, differences }
}

function withHeaders(name: string, lines: string, differences: readonly Difference[] = []): Case {
  return { name, http: `GET /a HTTP/1.1${HOST}\r\n${lines}`, differences }
}

function post(name: string, lines: string, body: string, differences: readonly Difference[] = []): Case {
  return { name, http: `POST /a HTTP/1.1${HOST}\r\n${lines}\r\n\r\n${body}`, differences }
}

function withHost(host: string, differences: readonly Difference[] = []): Case {
  return { name: host, http: `GET /a HTTP/1.1\r\nHost: ${host}`, differences }
}

const targets: readonly Case[] = [
  get('/'),
  get('/app/page?x=1'),
  get('/a/b/'),
  get('/a?'),
  get('/a?x=?&y=%20%zz+/../&&=;"<>|'),
  get('/a%20b/caf%C3%A9/%7euser/%41'),
  get('/a%3Fb%23c%25d'),
  get("/a;b=c/@:&=+$,!'()*"),
  get('/a\\..\\b'),
  get('/.a/..b/c..'),
  get('/a//b///c'),
  get('//a/b'),
  get('/a/./b/../c'),
  get('/a/b/..'),
  get('/a/b/.'),
  get('/a/%2e%2e/b'),
  get('/a%2Fb%2fc', [
    ['Apache', 'PATH_INFO', 'AllowEncodedSlashes NoDecode keeps %2F; with Off it is a 404'],
  ]),
  get('/a%0D%0Ab', [
    ['nginx', 'SCRIPT_NAME PATH_INFO', 'a dot in fastcgi_split_path_info does not match a line feed'],
  ]),
  // All three reject these.
  get('/../../etc/passwd'),
  get('/a/../../etc/passwd'),
  get('/%2e%2e/etc/passwd'),
  get('/a/..%2f..%2fb', [['Apache', 'refused', 'NoDecode: %2F does not count as a slash']]),
  get('/a%00b'),
  get('/a%zzb'),
  get('/a%'),
  get('a/b'),
  get('*'),
  get('/a#b?c', [['nginx', 'refused', 'drops the fragment']]),
  get('/caf\xc3\xa9', [
    ['nginx', 'refused', 'accepts bytes that are not allowed in a URL; Node does not'],
    ['Apache', 'refused', 'accepts bytes that are not allowed in a URL; Node does not'],
  ]),
]

const ABSOLUTE: Difference = ['Apache', 'REQUEST_URI', 'keeps scheme and host in it']
const absolute: readonly Case[] = [
  get('http://front.test/x?y=1', [ABSOLUTE]),
  get('http://abs.test:81/x?y=1', [NAME_OF_NGINX, ABSOLUTE]),
  get('HTTP://ABS.test/x', [NAME_OF_NGINX, ABSOLUTE]),
  get('http://abs.test', [NAME_OF_NGINX, ABSOLUTE]),
  get('http://abs.test?x=1', [
    ['nginx', 'refused', 'sends a REQUEST_URI without a slash at its start, and the app refuses that'],
    ABSOLUTE,
  ]),
  get('http://u:p@abs.test/x'),
  get('ftp://abs.test/x', [['nginx', 'refused', 'treats it as http']]),
]

const methods: readonly Case[] = [
  ...['HEAD', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE'].map((method) => ({
    name: method,
    http: `${method} /a HTTP/1.1${HOST}`,
  })),
  {
    name: 'OPTIONS *',
    http: `OPTIONS * HTTP/1.1${HOST}`,
    differences: [
      ['nginx', 'refused', 'does not support it'],
      ['Apache', 'responded', 'responds itself'],
    ],
  },
  {
    name: 'TRACE',
    http: `TRACE /a HTTP/1.1${HOST}`,
    differences: [
      ['nginx', 'refused', 'never forwards it'],
      ['Apache', 'responded', 'responds itself'],
    ],
  },
]

const hosts: readonly Case[] = [
  withHost('FRONT.Test:8080'),
  withHost('[::1]:8080', [NAME_OF_NGINX]),
  withHost('my_host.test', [NAME_OF_NGINX]),
  withHost('front.test.', [['nginx', 'HTTP_HOST', 'removes the dot']]),
  withHost('front.test:', [['Apache', 'refused', 'requires a number after the colon; RFC 3986 does not']]),
  // All three reject these.
  withHost(''),
  withHost('a/b'),
  withHost('a b'),
  withHost('user@a'),
  withHost('a.test\r\nHost: b.test'),
  { name: 'none', http: 'GET /a HTTP/1.1' },
  {
    name: 'none in HTTP/1.0',
    http: 'GET /a HTTP/1.0',
    differences: [
      ['nginx', 'HTTP_HOST SERVER_NAME', 'uses its server_name'],
      ['Apache', 'SERVER_NAME', 'its ServerName; the gateway only has an address'],
    ],
  },
  { name: 'one in HTTP/1.0', http: 'GET /a HTTP/1.0\r\nHost: Front.Test' },
]

const headers: readonly Case[] = [
  withHeaders(
    'several',
    'Accept: text/html\r\naccept-language: de\r\nReferer: http://x/\r\nUser-Agent: test\r\nRange: bytes=0-1\r\nIf-None-Match: "a"',
  ),
  withHeaders(
    'bytes and blanks',
    'X-Empty:\r\nX-Blanks:   a  b   \r\nX-Utf8: caf\xc3\xa9\r\nX-Latin1: caf\xe9',
  ),
  withHeaders('tabs', 'X-Tab:\ta\tb\t', [['nginx', 'HTTP_X_TAB', 'treats them as part of the value']]),
  withHeaders(
    'unusual names',
    "X_Under: 1\r\nX.Dot: 2\r\nX'Q: 3\r\nX~T: 4\r\nX9: 5\r\n9X: 6\r\nX--Y: 7\r\n-Z: 8",
  ),
  withHeaders('Proxy', 'Proxy: http://evil', [['nginx', 'HTTP_PROXY', 'forwards it (httpoxy.org)']]),
  withHeaders('Authorization', 'Authorization: Basic dXNlcjpwYXNz'),
  withHeaders(
    'X-Forwarded-For',
    'X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1',
  ),
  withHeaders('repeated', 'X-Same: one\r\nX-Other: o\r\nx-same: two\r\nCookie: a=1\r\nCookie: b=2', [
    ['Apache', 'HTTP_COOKIE', 'joins by commas, which cookie parsers do not accept'],
  ]),
  withHeaders('hop-by-hop', 'Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: x\r\nUpgrade: h2c'),
  {
    name: 'named by Connection',
    http: `GET /a HTTP/1.1${HOST}\r\nConnection: close, X-Hop\r\nX-Hop: 1`,
    differences: [
      ['nginx', 'HTTP_X_HOP', 'forwards it, against RFC 9110 section 7.6.1'],
      ['Apache', 'HTTP_X_HOP', 'forwards it, against RFC 9110 section 7.6.1'],
    ],
  },
  withHeaders('folded', 'X-Fold: a\r\n  b', [
    ['Apache', 'refused', 'unfolds it; RFC 9112 section 5.2 allows a server to refuse it'],
  ]),
]

const bodies: readonly Case[] = [
  post('with a length', 'Content-Type: text/plain\r\nContent-Length: 5', 'hello'),
  post('with length 0', 'Content-Length: 0', ''),
  { name: 'none', http: `POST /a HTTP/1.1${HOST}` },
  { name: 'of a GET', http: `GET /a HTTP/1.1${HOST}\r\nContent-Length: 5\r\n\r\nhello` },
  post('two types', 'Content-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 1', 'x', [
    ['Apache', 'CONTENT_TYPE', 'joins the values'],
    ...LATER_NGINX,
  ]),
  post('a length with zeros', 'Content-Length: 005', 'hello', [
    ['nginx', 'CONTENT_LENGTH', 'sends it unchanged'],
  ]),
  post('an invalid length', 'Content-Length: 5x', 'hello'),
  post('two lengths', 'Content-Length: 5\r\nContent-Length: 5', 'hello'),
  post('in chunks', 'Transfer-Encoding: chunked', '2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', STREAMED),
  post('in chunks, empty', 'Transfer-Encoding: chunked', '0\r\n\r\n', [
    ['Apache', 'HTTP_TRANSFER_ENCODING', 'buffers the whole body'],
  ]),
  post(
    'in chunks, with trailers',
    'Trailer: X-Sum\r\nTransfer-Encoding: chunked',
    '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
    STREAMED,
  ),
  post('a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n', [
    ['Apache', 'refused', 'uses the chunks; RFC 9112 section 6.1 allows a server to refuse it'],
  ]),
  post('another encoding', 'Transfer-Encoding: gzip, chunked', '5\r\nhello\r\n0\r\n\r\n', [
    ['Apache', 'refused', 'forwards the compressed body without its coding'],
  ]),
  post('Expect', 'Expect: 100-continue\r\nContent-Length: 5', 'hello'),
  post('another expectation', 'Expect: else\r\nContent-Length: 5', 'hello', [
    ['nginx', 'refused', 'forwards it; RFC 9110 section 10.1.1 allows a server to refuse it'],
  ]),
]

let site: Site
const ports = {} as Record<FrontName | 'gateway', number>
let gateway: ReturnType<typeof createGateway>

beforeAll(async () => {
  site = new Site()
  const { at } = await site.startApp('params', '127.0.0.1:0')
  if ('path' in at) throw new Error('The app listens on a port.')
  const [nginx] = await startNginx(
    site,
    1,
    ([port]) => `
    server {
      listen 127.0.0.1:${port};
      server_name front.test;
      location / {
        include /etc/nginx/fastcgi_params;
        fastcgi_split_path_info ^()(/.*)$;
        fastcgi_param PATH_INFO $fastcgi_path_info;
        fastcgi_pass ${at.host}:${at.port};
      }
    }`,
  )
  const program = site.writeProgram('app.fcgi', 'params')
  const anchor = site.write('anchor', '')
  const apache = await startApache(site, {
    modules: ['proxy', 'proxy_fcgi', 'fcgid'],
    server: fcgidDirectives(site),
    hosts: [
      `AliasMatch "^/(.*)$" "${anchor}/$1"
      <Location "/">
        SetHandler "proxy:fcgi://${at.host}:${at.port}/"
        CGIPassAuth On
        Require all granted
      </Location>`,
      `ScriptAlias "/" "${program}/"
      <Location "/">
        SetHandler fcgid-script
        CGIPassAuth On
        Require all granted
      </Location>`,
    ],
  })
  gateway = createGateway(at).listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  ports.nginx = nginx!
  ports.mod_proxy_fcgi = apache.ports[0]!
  ports.mod_fcgid = apache.ports[1]!
  ports.gateway = (gateway.address() as AddressInfo).port
})

afterAll(async () => {
  gateway.close()
  await site.stop()
})

describe.each(Object.entries({ targets, absolute, methods, hosts, headers, bodies }))('%s', (_, cases) => {
  test.each(cases)('$name', async ({ http, differences = [] }) => {
    const ours = await paramsFrom('gateway', http)
    for (const front of ['nginx', 'mod_proxy_fcgi', 'mod_fcgid'] as const) {
      const theirs = await paramsFrom(front, http)
      const listed = differences.flatMap(([fronts, names]) =>
        isAmong(front, fronts) ? names.split(' ') : [],
      )
      expect({ front, differ: differing(ours, theirs, front) }).toEqual({ front, differ: listed.sort() })
    }
  })
})

function isAmong(front: FrontName, fronts: FrontName | 'Apache'): boolean {
  return front === fronts || (fronts === 'Apache' && front !== 'nginx')
}

/** Returns the params that the app received. `refused` or `responded` if the front server sent the app no request. */
async function paramsFrom(front: keyof typeof ports, http: string): Promise<Params> {
  const [head, ...body] = http.split('\r\n\r\n')
  const close = /^Connection:/m.test(http) ? '' : '\r\nConnection: close'
  const response = await raw(ports[front], `${head}${close}\r\n\r\n${body.join('\r\n\r\n')}`)
  const [, status] = /^HTTP\/1\.1 (?!100)(\d{3})/m.exec(response) ?? []
  const [, seen] = /^x-seen: (.*)\r$/im.exec(response) ?? []
  if (seen !== undefined) return JSON.parse(Buffer.from(seen, 'base64').toString())
  return Number(status) < 400 ? { responded: 'by the front server' } : { refused: 'by the front server' }
}

async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request, 'latin1')
  return Buffer.concat(await socket.toArray()).toString('latin1')
}

/** Returns the sorted names of the params that differ. */
function differing(ours: Params, theirs: Params, front: FrontName): string[] {
  for (const whole of ['refused', 'responded']) {
    if (whole in ours !== whole in theirs) return [whole]
  }
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  return [...names]
    .filter((name) => !LEFT_OUT.some(([pattern]) => pattern.test(name)))
    .filter((name) => comparable(ours, name, front) !== comparable(theirs, name, front))
    .sort()
}

function comparable(params: Params, name: string, front: FrontName): string {
  // nginx sends an empty value and Apache 0 where the gateway omits the param. RFC 3875 section 4.1.2 allows both.
  const value = params[name] ?? ''
  if (name === 'CONTENT_LENGTH' && params['(body)'] === '') return ''
  // Debian's fastcgi_params sends $host.
  return name === 'HTTP_HOST' && front === 'nginx' ? value.toLowerCase().replace(/:\d*$/, '') : value
}
