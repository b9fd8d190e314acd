import { randomInt, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import type { Case } from './case.ts'
import { open, readAll, readUntil, send } from './http.ts'

/** Streamed bodies whose length differs from their Content-Length. */
export const lengths: readonly Case[] = [
  {
    name: 'a streamed body shorter than its Content-Length: the client detects that the response is incomplete',
    async run({ origin, path, mode, site }) {
      const id = randomUUID()
      // Longer than any error page that a front server appends, and unique in the log.
      const length = randomInt(1e6, 1e9)
      const { streamsResponses, logsErrors } = mode.traits
      const opened = open(origin, path(`/short/${length}?id=${id}`))
      // If the front server buffers the response, only the app knows that it has sent its beginning.
      if (streamsResponses) expect(await readUntil(await opened, 'half')).toBe('half')
      else await site.control.waitFor(id, 'started')
      site.control.send(id, 'continue')
      const rest = opened.then((incoming) => {
        if (incoming.statusCode !== 200) throw new Error(`responded with ${incoming.statusCode}`)
        return readAll(incoming)
      })
      // If nothing has been forwarded yet, the front server may close the connection or respond with an error page of its own.
      await expect(rest).rejects.toThrow(
        streamsResponses ? 'aborted' : /aborted|socket hang up|responded with 50[023]/,
      )
      if (logsErrors) await site.logged(`Content-Length is ${length}.`)
      expect((await send(origin, path('/text'))).text).toBe('some text\n')
    },
  },
  {
    name: 'the compressed response of another server, fetched and returned',
    async run({ origin, path }) {
      const upstream = createServer((_request, response) => {
        const body = gzipSync('small')
        response.writeHead(200, {
          'content-type': 'text/plain',
          'content-encoding': 'gzip',
          'content-length': body.length,
        })
        response.end(body)
      }).listen(0, '127.0.0.1')
      try {
        await once(upstream, 'listening')
        const { port } = upstream.address() as AddressInfo
        const from = encodeURIComponent(`http://127.0.0.1:${port}/`)
        // `fetch` has decoded the body: the Content-Length of the other server is not its length.
        const response = await send(origin, path(`/fetched?from=${from}`))
        expect(response).toMatchObject({ status: 200, text: 'small' })
        expect(response.headers['content-encoding']).toBeUndefined()
        expect(response.headers['content-length'] ?? '5').toBe('5')
      } finally {
        upstream.close()
        upstream.closeAllConnections()
      }
    },
  },
]
