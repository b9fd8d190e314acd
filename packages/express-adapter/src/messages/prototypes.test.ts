import { createServer as createHttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express, Request, Response } from 'express'
import { describe, expect, test } from 'vitest'
import { expressVersions } from '../testing/differential.ts'
import { createHttpClient } from '../testing/http-client.ts'
import { serveForTest } from '../testing/served.ts'

interface Patched {
  mark?: string
}

function markOf(request: Request, response: Response): string {
  return `${(request as Request & Patched).mark} ${(response as Response & Patched).mark}`
}

describe.each(expressVersions)('%s keeps its prototypes', (_, express) => {
  // Calls `look` with each request and response before Express gets them.
  function observed(app: Express, look: (request: object, response: object) => void): Express {
    return new Proxy(app, {
      apply(target, _thisArgument, [request, response]) {
        look(request, response)
        Reflect.apply(target as (...args: unknown[]) => void, undefined, [request, response])
      },
    })
  }

  test("requests and responses are created with the app's prototypes, so that Express has nothing to change", async () => {
    const app = express()
    const { request: requestPrototype, response: responsePrototype } = app
    const seen: boolean[] = []
    const { client } = await serveForTest(
      observed(app, (request, response) => {
        seen.push(Object.getPrototypeOf(request) === requestPrototype)
        seen.push(Object.getPrototypeOf(response) === responsePrototype)
        seen.push(request instanceof IncomingMessage, response instanceof ServerResponse)
      }),
    )
    app.use((_, response) => void response.send('x'))
    await client.send().response
    expect(seen).toEqual([true, true, true, true])
    expect(app.request).toBe(requestPrototype)
    expect(app.response).toBe(responsePrototype)
  })

  test('the prototypes of the Express module and of Node are not changed', async () => {
    const owners = [express.request, express.response, IncomingMessage.prototype, ServerResponse.prototype]
    const before = owners.map((owner) => [Object.getPrototypeOf(owner), Reflect.ownKeys(owner)])
    const app = express()
    const ownBefore = [Reflect.ownKeys(app.request), Reflect.ownKeys(app.response)]
    app.use((_, response) => void response.send('x'))
    const { client } = await serveForTest(app)
    await client.send().response
    expect(owners.map((owner) => [Object.getPrototypeOf(owner), Reflect.ownKeys(owner)])).toEqual(before)
    expect([Reflect.ownKeys(app.request), Reflect.ownKeys(app.response)]).toEqual(ownBefore)
  })

  test('properties added to the prototypes of the app or of a sub-app later take effect at once', async () => {
    const app = express()
    const sub = express()
    app.use('/sub', sub)
    const show = (request: Request, response: Response): void => void response.send(markOf(request, response))
    app.get('/', show)
    sub.get('/', show)
    const { client } = await serveForTest(app)
    const ask = async (path: string): Promise<string> =>
      (await client.send({ path }).response).body.toString()
    expect(await ask('/')).toBe('undefined undefined')
    Object.assign(app.request, { mark: 'app' })
    Object.assign(app.response, { mark: 'app' })
    expect(await ask('/')).toBe('app app')
    expect(await ask('/sub')).toBe('app app')
    Object.assign(sub.response, { mark: 'sub' })
    expect(await ask('/sub')).toBe('app sub')
    expect(await ask('/')).toBe('app app')
  })

  test('prototypes that replace those of the app are used', async () => {
    const app = express()
    app.get('/', (request, response) => void response.send(markOf(request, response)))
    const seen: boolean[] = []
    const { client } = await serveForTest(
      observed(app, (request, response) => {
        seen.push(
          Object.getPrototypeOf(request) === app.request,
          Object.getPrototypeOf(response) === app.response,
        )
      }),
    )
    await client.send().response
    app.request = Object.create(app.request, { mark: { value: 'new' } })
    app.response = Object.create(app.response, { mark: { value: 'new' } })
    expect((await client.send().response).body.toString()).toBe('new new')
    expect(seen).toEqual([true, true, true, true])
  })

  test("an end() on the app's prototype gets the arguments that the app passed", async () => {
    const app = express()
    const given: unknown[][] = []
    const done = (): void => {}
    app.response.end = function (this: ServerResponse, ...args: unknown[]) {
      given.push(args)
      return Reflect.apply(ServerResponse.prototype.end, this, args)
    } as typeof app.response.end
    app.get('/', (_, response) => void response.end('whole', 'utf8', done))
    app.get('/send', (_, response) => void response.send('sent'))
    const { client } = await serveForTest(app)
    expect((await client.send().response).body.toString()).toBe('whole')
    expect((await client.send({ path: '/send' }).response).body.toString()).toBe('sent')
    expect(given[0]).toEqual(['whole', 'utf8', done])
    expect(String(given[1]![0])).toBe('sent')
  })

  test("an end() that replaces Node's gets the arguments that the app passed", async () => {
    const app = express()
    app.use((_, response) => void response.end('whole'))
    const { client } = await serveForTest(app)
    const given: unknown[] = []
    const { end } = ServerResponse.prototype
    ServerResponse.prototype.end = function (this: ServerResponse, ...args: unknown[]) {
      given.push(args[0])
      return Reflect.apply(end, this, args)
    } as typeof end
    try {
      expect((await client.send().response).body.toString()).toBe('whole')
    } finally {
      // Node's own end is on the prototype above.
      delete (ServerResponse.prototype as Partial<ServerResponse>).end
    }
    expect(ServerResponse.prototype.end).toBe(end)
    expect(given).toEqual(['whole'])
  })

  test('the same app is served over HTTP at the same time', async () => {
    const app = express()
    app.get('/', async (request, response) => {
      await new Promise(setImmediate)
      response.set('X-Over', request.fcgi === undefined ? 'http' : 'fastcgi').send('hello')
    })
    const { client } = await serveForTest(app)
    const httpServer = createHttpServer(app)
    await new Promise<void>((resolve) => {
      httpServer.listen(0, '127.0.0.1', resolve)
    })
    const httpClient = createHttpClient((httpServer.address() as AddressInfo).port)
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? client : httpClient).send().response),
    )
    expect(responses.map(({ body }) => body.toString())).toEqual(Array(20).fill('hello'))
    expect(responses.map(({ headers }) => headers.find(([name]) => name === 'x-over')![1])).toEqual(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'fastcgi' : 'http')),
    )
    await httpClient.close()
    await new Promise((resolve) => {
      httpServer.close(resolve)
    })
  })

  test('an app that is called by another listener works', async () => {
    const app = express()
    app.get('/', (_, response) => void response.json({ wrapped: true }))
    const { client } = await serveForTest((request, response) => app(request, response))
    expect((await client.send().response).body.toString()).toBe('{"wrapped":true}')
  })
})
