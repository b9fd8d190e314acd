import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Traits } from '../fronts/front.ts'
import type { Case, Target } from './case.ts'
import { send, type TestRequest, type TestResponse } from './http.ts'
import { sendRaw } from './raw-http.ts'

/** A request as the app's /echo reports it. */
interface Echo {
  method: string
  url: string
  mount: string
  headers: Record<string, string>
  remoteAddress: string
  length: number
  sha256: string
}

const PATHS = [
  '/echo/a%2Fb',
  '/echo/a%20b',
  '/echo/caf%C3%A9/%E2%82%AC',
  '/echo//two///slashes',
  '/echo/100%25',
  "/echo/a+b;c=d@e:f,g'(h)",
]

/** The request as the app receives it. */
export const requests: readonly Case[] = [
  {
    name: 'GET with a query',
    async run(target) {
      const host = `Front.Test:${target.origin.port}`
      const path = target.path('/echo/path?x=1&y=a%20b+c&x=%2F')
      const received = await echo(target, '/echo/path?x=1&y=a%20b+c&x=%2F', { headers: ['Host', host] })
      expect(received).toMatchObject({
        method: 'GET',
        url: path,
        mount: target.mode.mount ?? target.mode.prefix,
        remoteAddress: '127.0.0.1',
        length: 0,
      })
      expect(received.headers.host).toBe(expectedHost(target.mode.traits, host))
    },
  },
  {
    name: 'encoded paths: %2F, %20, UTF-8, //',
    async run(target) {
      for (const path of PATHS) expect((await echo(target, path)).url).toBe(target.path(path))
    },
  },
  ...['PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) => ({
    name: method,
    async run(target: Target) {
      const received = await echo(target, '/echo/thing', { method, body: 'twelve bytes' })
      const length = target.mode.traits.dropsBodyOf.includes(method) ? 0 : 12
      expect(received).toMatchObject({ method, url: target.path('/echo/thing'), length })
    },
  })),
  {
    name: 'repeated headers and cookies',
    async run(target) {
      const headers = ['X-Same', 'one', 'Cookie', 'a=1', 'X-Same', 'two', 'Cookie', 'b=2']
      const received = await echo(target, '/echo', { headers })
      expect(received.headers).toMatchObject({
        'x-same': 'one, two',
        cookie: target.mode.traits.joinedCookies,
      })
    },
  },
  {
    name: 'Authorization',
    async run(target) {
      for (const authorization of ['Basic dXNlcjpwYXNz', 'Bearer abc.def-123']) {
        const received = await echo(target, '/echo', { headers: ['Authorization', authorization] })
        expect(received.headers.authorization).toBe(authorization)
      }
    },
  },
  {
    name: 'credentials cannot be forged as the variables of an internal redirect',
    async run(target) {
      const forged = ['Redirect-Http-Authorization', 'REDIRECT_HTTP_AUTHORIZATION', 'Redirect-Remote-User']
      const headers = forged.flatMap((name) => [name, 'Basic Zm9yZ2Vk'])
      expect((await echo(target, '/echo', { headers })).headers).not.toHaveProperty('authorization')
    },
  },
  {
    name: 'the reason of a refused request is in the error log',
    async run(target) {
      // Longer than a host name can be, which no front server checks.
      const host = `${randomUUID()}${'.long'.repeat(50)}.test`
      const response = await send(target.origin, target.path('/echo'), { headers: ['Host', host] })
      expect(response).toMatchObject({ status: 400, text: '400 Bad Request\n' })
      if (target.mode.traits.logsErrors) {
        await target.site.logged('Request refused with status 400 (FCGI_ERR_AUTHORITY): ')
        await target.site.logged(host.slice(0, 36))
      }
    },
  },
  {
    name: 'two Host fields or two lengths are refused, or the app gets the ones that the front server uses',
    async run(target) {
      const { origin } = target
      const first = `POST ${target.path('/echo')} HTTP/1.1\r\nConnection: close\r\n`
      const hosts = await sendRaw(
        origin,
        `${first}Host: one.test\r\nHost: two.test\r\nContent-Length: 0\r\n\r\n`,
      )
      if (hosts.status === 200) expect(JSON.parse(hosts.text).headers.host).toBe('two.test')
      else expect(hosts.status).toBe(400)

      const lengths = 'Content-Length: 5\r\nContent-Length: 6\r\n'
      const { status, text } = await sendRaw(origin, `${first}Host: one.test\r\n${lengths}\r\nhello!`)
      if (status === 200) {
        const { length, headers } = JSON.parse(text)
        expect(headers['content-length']).toBe(String(length))
      } else expect(status).toBe(400)
    },
  },
  {
    name: 'many concurrent requests',
    async run(target) {
      const length = target.mode.traits.startsPerRequest ? 8 : 50
      const numbers = Array.from({ length }, (_, index) => index)
      const received = await Promise.all(numbers.map((number) => echo(target, `/echo?number=${number}`)))
      expect(received.map(({ url }) => url)).toEqual(
        numbers.map((number) => target.path(`/echo?number=${number}`)),
      )
    },
  },
]

async function echo(target: Target, path: string, request?: TestRequest): Promise<Echo> {
  const response: TestResponse = await send(target.origin, target.path(path), request)
  expect(response, response.text).toMatchObject({ status: 200 })
  return JSON.parse(response.text)
}

function expectedHost({ host }: Traits, sent: string): string {
  if (host === 'as sent') return sent
  const lower = sent.toLowerCase()
  return host === 'lower case' ? lower : lower.replace(/:\d+$/, '')
}
