import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { expect } from 'vitest'
import type { Case } from './case.ts'
import { send } from './http.ts'

/** Responses as the client receives them. */
export const responses: readonly Case[] = [
  {
    name: 'HEAD: the same head as for GET, and no body',
    async run({ origin, path }) {
      await onOneConnection(async (agent) => {
        const head = await send(origin, path('/text'), { method: 'HEAD', agent })
        expect(head).toMatchObject({ status: 200, text: '' })
        const get = await send(origin, path('/text'), { agent })
        expect(get).toMatchObject({ status: 200, text: 'some text\n' })
        expect(head.headers['content-type']).toBe(get.headers['content-type'])
        expect(head.headers['content-length']).toBe('10')
      })
    },
  },
  {
    name: 'several Set-Cookie',
    async run({ origin, path }) {
      const response = await send(origin, path('/cookies'))
      expect(response.text).toBe('three cookies\n')
      expect(response.headers['set-cookie']).toEqual([
        'first=1; Path=/',
        'second=2; Path=/; HttpOnly',
        'third=3; Expires=Wed, 21 Oct 2099 07:28:00 GMT',
      ])
    },
  },
  {
    name: 'redirects',
    async run({ origin, path }) {
      for (const status of [301, 302, 303, 307, 308]) {
        for (const to of ['/other/place?x=1&y=%2F', 'http://elsewhere.test/there?x=a%20b']) {
          const response = await send(origin, path(`/redirect/${status}?to=${encodeURIComponent(to)}`))
          expect(response).toMatchObject({ status, headers: { location: to } })
        }
      }
    },
  },
  {
    name: '204 and 304: no body, and the connection is reused',
    async run({ origin, path }) {
      await onOneConnection(async (agent) => {
        for (const status of [204, 304]) {
          expect(await send(origin, path(`/status/${status}`), { agent })).toMatchObject({ status, text: '' })
          expect(await send(origin, path('/text'), { agent })).toMatchObject({
            status: 200,
            text: 'some text\n',
          })
        }
      })
    },
  },
  {
    name: '204, 205 and 304 with a Content-Length: no body, and the connection is reused',
    async run({ origin, path }) {
      await onOneConnection(async (agent) => {
        for (const method of ['GET', 'HEAD']) {
          for (const status of [204, 205, 304]) {
            const empty = await send(origin, path(`/empty/${status}`), { method, agent })
            expect(empty).toMatchObject({ status, text: '' })
            if (status === 205 && method === 'GET') expect(empty.headers['content-length'] ?? '0').toBe('0')
            expect(await send(origin, path('/text'), { agent })).toMatchObject({
              status: 200,
              text: 'some text\n',
            })
          }
        }
      })
    },
  },
  {
    name: 'a Content-Length that differs from the body: an error if the body is shorter, cut if it is longer',
    async run({ origin, path }) {
      await onOneConnection(async (agent) => {
        // The body is `abcd`. The head has not been sent when it ends, so the client gets an error page.
        expect((await send(origin, path('/length/8'), { agent })).status).toBe(500)
        expect(await send(origin, path('/length/2'), { agent })).toMatchObject({ status: 200, text: 'ab' })
        expect((await send(origin, path('/text'), { agent })).text).toBe('some text\n')
      })
    },
  },
  {
    name: 'conditional requests on a static file',
    async run({ origin, path }) {
      const file = readFileSync(new URL('../apps/static/page.txt', import.meta.url), 'utf8')
      const first = await send(origin, path('/static/page.txt'))
      expect(first).toMatchObject({ status: 200, text: file })
      const headers = ['If-None-Match', first.headers.etag!]
      const again = await send(origin, path('/static/page.txt'), { headers })
      expect(again).toMatchObject({ status: 304, text: '', headers: { etag: first.headers.etag } })
      const changed = await send(origin, path('/static/page.txt'), { headers: ['If-None-Match', '"other"'] })
      expect(changed).toMatchObject({ status: 200, text: file })
    },
  },
  {
    name: 'range requests on a static file',
    async run({ origin, path }) {
      const file = readFileSync(new URL('../apps/static/page.txt', import.meta.url), 'utf8')
      const range = (range: string) => send(origin, path('/static/page.txt'), { headers: ['Range', range] })
      expect(await range('bytes=100-199')).toMatchObject({
        status: 206,
        text: file.slice(100, 200),
        headers: { 'content-range': `bytes 100-199/${file.length}` },
      })
      expect(await range('bytes=4000-')).toMatchObject({ status: 206, text: file.slice(4000) })
      expect(await range('bytes=9999-')).toMatchObject({
        status: 416,
        headers: { 'content-range': `bytes */${file.length}` },
      })
    },
  },
]

// A response with one byte too many or too few would break the next response on the connection.
async function onOneConnection(run: (agent: Agent) => Promise<void>): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    await run(agent)
  } finally {
    agent.destroy()
  }
}
