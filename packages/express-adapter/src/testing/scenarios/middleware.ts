import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable, Writable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import compression from 'compression'
import cookieSession from 'cookie-session'
import rateLimit from 'express-rate-limit'
import session from 'express-session'
import httpProxy from 'http-proxy'
import morgan from 'morgan'
import type { Scenario, TestClient } from '../differential.ts'

declare module 'express-session' {
  interface SessionData {
    count: number
  }
}

const text = 'compress me, please. '.repeat(500)

function cookiesOf(headers: readonly (readonly [string, string])[]): string {
  return headers
    .filter(([name]) => name === 'set-cookie')
    .map(([, value]) => value.split(';')[0])
    .join('; ')
}

// Sends two requests, the second with the cookies of the first response.
async function countTwice(client: TestClient): Promise<unknown> {
  const first = await client.get()
  const cookies = cookiesOf(first.headers)
  const second = await client.get('/', ['Cookie', cookies])
  return [first.body, second.body, cookies.replace(/=[^;]*/g, '')]
}

/** Middleware that most apps use. */
export const middlewareScenarios: readonly Scenario[] = [
  {
    name: 'compression of send',
    app: (app) => {
      app.use(compression())
      app.use((_, response) => void response.send(text))
    },
    drive: async (client) => {
      const { headers, body } = await client.send({ headers: ['Accept-Encoding', 'gzip'] }).response
      return [headers, gunzipSync(body).toString() === text, await client.get()]
    },
    trace: 'each',
  },
  {
    name: 'compression of HEAD, and of a body that is too small',
    app: (app) => {
      app.use(compression())
      app.use((request, response) => void response.send(request.url === '/small' ? 'small' : text))
    },
    drive: async (client) => [
      await client.fetch({ method: 'HEAD', headers: ['Accept-Encoding', 'gzip'] }),
      await client.get('/small', ['Accept-Encoding', 'gzip']),
    ],
    trace: 'each',
  },
  {
    name: 'compression of written pieces, with drain',
    app: (app) => {
      app.use(compression({ threshold: 0 }))
      app.use((_, response) => {
        response.type('text')
        const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${Math.imul(i, 2_654_435_761)}\n`)
        Readable.from(lines).pipe(response)
      })
    },
    drive: async (client) => {
      const { body } = await client.send({ headers: ['Accept-Encoding', 'gzip'] }).response
      return gunzipSync(body).length
    },
    trace: 'none',
  },
  {
    name: 'cookie-session',
    app: (app) => {
      app.use(cookieSession({ name: 'cs', keys: ['k'] }))
      app.use((request, response) => {
        request.session!.count = (request.session!.count ?? 0) + 1
        response.send(String(request.session!.count))
      })
    },
    drive: countTwice,
  },
  {
    name: 'express-session',
    app: (app) => {
      app.use(session({ secret: 's', resave: false, saveUninitialized: true }))
      app.use((request, response) => {
        request.session.count = (request.session.count ?? 0) + 1
        response.send(String(request.session.count))
      })
    },
    drive: countTwice,
  },
  {
    name: 'express-session, saved by end() without a body, and with redirect',
    app: (app) => {
      app.use(session({ secret: 's', resave: false, saveUninitialized: true }))
      app.get('/end', (request, response) => {
        request.session.count = 1
        response.end()
      })
      app.get('/go', (request, response) => {
        request.session.count = 1
        response.redirect('/end')
      })
    },
    drive: async (client) => [(await client.get('/end')).status, (await client.get('/go')).status],
  },
  {
    name: 'express-session with Secure cookies, with TLS at a trusted proxy',
    app: (app) => {
      app.set('trust proxy', 1)
      app.use(session({ secret: 's', resave: false, saveUninitialized: true, cookie: { secure: true } }))
      app.use((request, response) => {
        request.session.count = 1
        response.end()
      })
    },
    drive: async (client) => {
      const plain = await client.get()
      const secure = await client.get('/', ['X-Forwarded-Proto', 'https'])
      return [cookiesOf(plain.headers) !== '', cookiesOf(secure.headers) !== '']
    },
  },
  ...(['tiny', 'common', 'combined'] as const).map(
    (format): Scenario => ({
      name: `morgan: ${format}`,
      app: (app, kit) => {
        app.use(
          morgan(format, {
            stream: new Writable({
              write(chunk, _, callback) {
                kit.note(String(chunk).replace(/\[[^\]]*\]|[\d.]+ ms/, ''))
                callback()
              },
            }),
          }),
        )
        app.use((_, response) => void response.status(201).send('logged'))
      },
      drive: (client) => client.get('/log?x', ['User-Agent', 'test', 'Referer', 'http://example.test/']),
    }),
  ),
  {
    name: 'morgan: a request that the client aborted',
    app: (app, kit) => {
      app.use(
        morgan(':method :url :status :res[content-length]', {
          stream: new Writable({
            write(chunk, _, callback) {
              kit.note(String(chunk))
              callback()
            },
          }),
        }),
      )
      app.use(() => kit.gate('asked').open())
    },
    drive: async (client, kit) => {
      const exchange = client.send()
      await kit.gate('asked').opened
      exchange.abort()
    },
    trace: 'each',
  },
  {
    name: 'express-rate-limit',
    app: (app) => {
      app.use(rateLimit({ limit: 2, windowMs: 60_000, legacyHeaders: false, standardHeaders: 'draft-8' }))
      app.use((_, response) => void response.send('ok'))
    },
    drive: async (client) => {
      const results: unknown[] = []
      for (let i = 0; i < 3; i++) {
        const { status, headers, body } = await client.get()
        results.push([status, headers.map(([name, value]) => [name, value.replace(/[tr]=\d+/g, '')]), body])
      }
      return results
    },
  },
  ...[
    { name: 'a chunked response', path: '/chunked' },
    { name: 'a response with a Content-Length', path: '/length' },
    { name: 'a response without a body', path: '/none' },
    { name: 'several cookies and a redirect', path: '/redirect' },
    { name: 'an upload', path: '/echo', method: 'POST', body: 'u'.repeat(200_000) },
    { name: 'HEAD', path: '/length', method: 'HEAD' },
  ].map(
    ({ name, ...request }): Scenario => ({
      name: `http-proxy: ${name}`,
      app: (app) => {
        const upstream = startUpstream()
        const proxy = httpProxy.createProxyServer()
        app.use(async (proxied, response) => {
          await upstream.listening
          response.on('close', () => upstream.server.close())
          proxy.web(proxied, response, { target: `http://127.0.0.1:${upstream.port()}` })
        })
      },
      drive: (client) => client.fetch(request),
      trace: 'each',
    }),
  ),
  {
    name: 'http-proxy: an upstream that is down',
    app: (app) => {
      const proxy = httpProxy.createProxyServer()
      app.use((request, response) => {
        proxy.web(request, response, { target: 'http://127.0.0.1:1' }, () =>
          response.status(502).send('gone'),
        )
      })
    },
    trace: 'each',
  },
  {
    name: 'a response whose methods are wrapped',
    app: (app, kit) =>
      app.use(
        (_, response, next) => {
          const { write, end, writeHead } = response
          response.write = ((...args: unknown[]) => {
            kit.note('write')
            return Reflect.apply(write, response, args)
          }) as typeof write
          response.end = ((...args: unknown[]) => {
            kit.note('end')
            return Reflect.apply(end, response, args)
          }) as typeof end
          response.writeHead = ((...args: unknown[]) => {
            response.setHeader('X-Late', 'set')
            return Reflect.apply(writeHead, response, args)
          }) as typeof writeHead
          next()
        },
        (_, response) => {
          response.write('a')
          response.end('b')
        },
      ),
  },
]

function startUpstream(): { server: Server; listening: Promise<void>; port(): number } {
  const server = createServer((request, response) => {
    response.sendDate = false
    if (request.url === '/chunked') {
      response.write('one ')
      setTimeout(() => response.end('two'), 5)
    } else if (request.url === '/none') {
      response.writeHead(204).end()
    } else if (request.url === '/redirect') {
      response.writeHead(302, { Location: '/there', 'Set-Cookie': ['a=1', 'b=2'] }).end()
    } else if (request.url === '/echo') {
      request.pipe(response)
    } else {
      response.end('with a length')
    }
  })
  server.listen(0, '127.0.0.1')
  const listening = new Promise<void>((resolve) => {
    server.on('listening', resolve)
  })
  return { server, listening, port: () => (server.address() as AddressInfo).port }
}
