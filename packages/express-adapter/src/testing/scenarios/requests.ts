import type { Request, Response } from 'express'
import type { Scenario } from '../differential.ts'

// Without the headers of the connection, which a FastCGI request does not have.
function ownHeaders(request: Request): Record<string, unknown> {
  const { connection: _, 'transfer-encoding': __, ...headers } = request.headers
  return Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function echo(request: Request, response: Response): void {
  response.json({
    method: request.method,
    url: request.url,
    originalUrl: request.originalUrl,
    baseUrl: request.baseUrl,
    path: request.path,
    query: request.query,
    headers: ownHeaders(request),
  })
}

const targets = [
  '/',
  '/a/b?x=1&y=2&x=3',
  '/?',
  '/a%20b/%C3%A9',
  '/a%2Fb',
  '//evil/a',
  '/a/../b/./c',
  '/%2e%2e/x',
  '/a;p=1/b',
  '/?q=%zz',
  '/a?b?c',
  '/"<>{}|',
  '/\\evil.test/a',
  '/a\\..\\b',
  '/a%5c..%5cb',
  '/%2e%2e%2fetc/passwd',
  '/.%2e/%2e./x',
  '/a/..;/admin',
  '///a',
  '//',
  '/%00',
  '/%',
  '/a%0d%0aX-Injected:%201',
]

/** The properties of a request that an app can read. */
export const requestScenarios: readonly Scenario[] = [
  ...targets.map(
    (path): Scenario => ({
      name: `target ${path}`,
      app: (app) => app.use(echo),
      drive: (client) => client.get(path),
    }),
  ),
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'REPORT'].map(
    (method): Scenario => ({
      name: `method ${method}`,
      app: (app) => app.use(echo),
      drive: (client) => client.fetch({ method, path: '/x' }),
    }),
  ),
  {
    name: 'OPTIONS *',
    app: (app) => app.use((request, response) => void response.send(request.url)),
    drive: (client) => client.fetch({ method: 'OPTIONS', path: '*' }),
  },
  {
    name: 'OPTIONS handled by the router',
    app: (app) => {
      app.get('/x', echo)
      app.post('/x', echo)
    },
    drive: (client) => client.fetch({ method: 'OPTIONS', path: '/x' }),
  },
  {
    name: 'HEAD served by a GET route',
    app: (app) => app.get('/', (_, response) => void response.send('hello')),
    drive: (client) => client.fetch({ method: 'HEAD' }),
  },
  {
    name: 'repeated headers and cookies',
    app: (app) => app.use(echo),
    drive: (client) =>
      client.get('/', [
        'X-A',
        '1',
        'X-A',
        '2',
        'Cookie',
        'a=1',
        'Cookie',
        'b=2',
        'Accept',
        'a/b',
        'Accept',
        'c/d',
      ]),
  },
  {
    name: 'latin1 header values, there and back',
    app: (app) =>
      app.use((request, response) => {
        response.set('X-Back', request.get('x-there')!)
        response.set('X-Length', String(request.get('x-there')!.length))
        response.end(Buffer.from('done'))
      }),
    drive: (client) => client.get('/', ['X-There', 'caf\xe9 \xff']),
  },
  {
    name: 'header named __proto__',
    app: (app) =>
      app.use((request, response) => void response.json(Object.keys(request.headers).includes('x-b'))),
    drive: (client) => client.get('/', ['__proto__', 'a', 'X-B', 'b']),
  },
  {
    name: 'headersDistinct',
    app: (app) =>
      app.use((request, response) => {
        const { accept, 'x-a': a } = request.headersDistinct
        response.json({ accept, a })
      }),
    drive: (client) => client.get('/', ['Accept', 'text/html', 'X-A', '1']),
  },
  {
    name: 'properties that Express derives from headers',
    app: (app) =>
      app.use((request, response) => {
        response.json({
          json: request.accepts(['html', 'json']),
          encodings: request.acceptsEncodings('gzip', 'br'),
          languages: request.acceptsLanguages('de', 'en'),
          charsets: request.acceptsCharsets('utf-8'),
          is: request.is('text/*'),
          range: request.range(1000),
          xhr: request.xhr,
          fresh: request.fresh,
          stale: request.stale,
          referrer: request.get('referrer'),
        })
      }),
    drive: (client) =>
      client.fetch({
        method: 'POST',
        body: 'x',
        headers: [
          'Accept',
          'application/json;q=0.9, text/html;q=0.5',
          'Accept-Encoding',
          'br;q=0.5, gzip',
          'Accept-Language',
          'en, de;q=0.2',
          'Content-Type',
          'text/plain; charset=utf-8',
          'Range',
          'bytes=0-9,20-',
          'X-Requested-With',
          'XMLHttpRequest',
          'Referer',
          'http://example.test/from',
        ],
      }),
  },
  {
    name: 'the address of the client, without a trusted proxy',
    app: (app) => app.use(showClient),
    drive: (client) => client.get('/', FORWARDED),
  },
  {
    name: 'the address of the client, through a trusted proxy',
    app: (app) => {
      app.set('trust proxy', true)
      app.use(showClient)
    },
    drive: (client) => client.get('/', FORWARDED),
  },
  {
    name: 'the address of the client, through two proxies, one of them trusted',
    app: (app) => {
      app.set('trust proxy', 1)
      app.set('subdomain offset', 1)
      app.use(showClient)
    },
    drive: (client) => client.get('/', FORWARDED),
  },
  {
    name: 'the address of the client, through the loopback',
    app: (app) => {
      app.set('trust proxy', 'loopback')
      app.use(showClient)
    },
    drive: (client) => client.get('/', FORWARDED),
  },
  {
    name: 'the socket of a request',
    app: (app) =>
      app.use((request, response) => {
        const { socket } = request
        socket.setNoDelay(true)
        socket.setKeepAlive(true, 1000)
        socket.setTimeout(0)
        socket.ref().unref()
        response.json({
          remoteAddress: socket.remoteAddress,
          remoteFamily: socket.remoteFamily,
          remotePort: typeof socket.remotePort,
          localAddress: socket.localAddress,
          localPort: typeof socket.localPort,
          address: Object.keys(socket.address()).sort(),
          encrypted: (socket as { encrypted?: boolean }).encrypted,
          readable: socket.readable,
          writable: socket.writable,
          destroyed: socket.destroyed,
          readyState: socket.readyState,
          same: socket === request.connection && socket === response.socket && socket === response.connection,
        })
      }),
  },
  {
    name: 'the state of a request',
    app: (app, kit) =>
      app.use((request, response) => {
        const state = () =>
          kit.note(
            [
              request.complete,
              request.aborted,
              request.destroyed,
              request.readableEnded,
              (request as { upgrade?: boolean | null }).upgrade,
            ].join(),
          )
        state()
        kit.note(`${request.httpVersion} ${request.httpVersionMajor} ${request.httpVersionMinor}`)
        kit.note(JSON.stringify([request.trailers, request.rawTrailers]))
        request.on('end', state).on('close', state).resume()
        request.on('end', () => response.send('x'))
      }),
    drive: (client) => client.fetch({ method: 'POST', body: 'x' }),
  },
  {
    name: 'the state of a request without a body, after the listener has returned',
    app: (app, kit) =>
      app.use((request, response) => {
        setImmediate(() => {
          kit.note([request.complete, request.readable, request.readableEnded].join())
          response.send('x')
        })
      }),
    drive: (client) => client.fetch({ headers: ['Content-Length', '0'] }),
  },
  {
    name: 'routes, params and a router',
    app: (app, { express }) => {
      const router = express.Router({ mergeParams: true })
      router.get('/:b', (request, response) => {
        response.json([request.params, request.baseUrl, request.url, request.originalUrl, request.route.path])
      })
      app.use('/r/:a', router)
    },
    drive: (client) =>
      Promise.all([client.get('/r/1/2?x'), client.get('/r/caf%C3%A9/a%2Fb'), client.get('/r/1/%zz')]),
    trace: 'none',
  },
  {
    name: 'no route',
    app: () => {},
    drive: (client) => client.fetch({ method: 'POST', path: '/none?x=<b>', body: 'ignored' }),
  },
  {
    name: 'a sub-app mounted first, and one mounted last',
    app: (app, { express }) => {
      const first = express()
      app.use('/first', first)
      const last = express()
      const show = (request: Request, response: Response): void => {
        response.json([request.baseUrl, request.url, request.originalUrl, request.app.mountpath])
      }
      first.get('/x', show)
      last.get('/x', show)
      first.use((_request, _response, next) => next())
      app.use('/last', last)
      app.use(
        (request, response) => void response.json([request.app === app, response.app === app, request.url]),
      )
    },
    drive: (client) =>
      Promise.all(['/first/x?1', '/last/x', '/first/none', '/none'].map((path) => client.get(path))),
    trace: 'none',
  },
  {
    name: 'methods patched onto the app later, and onto a sub-app',
    app: (app, { express }) => {
      const sub = express()
      app.use('/sub', sub)
      Object.assign(app.response, {
        shout(this: Response, text: string) {
          this.send(text.toUpperCase())
        },
      })
      Object.defineProperty(app.request, 'token', {
        get(this: Request) {
          return this.get('x-token')
        },
      })
      const shout = (request: Request, response: Response): void =>
        (response as Response & { shout(text: string): void }).shout(
          `t:${(request as Request & { token: string }).token}`,
        )
      app.get('/', shout)
      sub.get('/', shout)
    },
    drive: (client) => Promise.all([client.get('/', ['X-Token', 'a']), client.get('/sub', ['X-Token', 'b'])]),
    trace: 'none',
  },
]

const FORWARDED = [
  'X-Forwarded-For',
  '203.0.113.7, 198.51.100.2',
  'X-Forwarded-Proto',
  'https',
  'X-Forwarded-Host',
  'shop.example.org:8443',
]

function showClient(request: Request, response: Response): void {
  response.json({
    ip: request.ip,
    ips: request.ips,
    protocol: request.protocol,
    secure: request.secure,
    hostname: request.hostname,
    host: request.host,
    subdomains: request.subdomains,
  })
}
