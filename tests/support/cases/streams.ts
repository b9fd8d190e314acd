import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'vitest'
import type { Case } from './case.ts'
import { open, readAll, readUntil, send } from './http.ts'

/** Events during a request: streaming, aborts and errors. */
export const streams: readonly Case[] = [
  {
    name: 'a response that is sent in parts reaches the client, part by part if the front server streams',
    async run({ origin, path, mode, site }) {
      const id = randomUUID()
      if (!mode.traits.streamsResponses) site.control.send(id, 'continue')
      const incoming = await open(origin, path(`/stream?id=${id}`))
      const first = await readUntil(incoming, 'first\n')
      site.control.send(id, 'continue')
      expect(first + (await readAll(incoming))).toBe('first\nsecond\n')
    },
  },
  {
    name: 'the app detects that the client of an event stream disconnected',
    async run({ origin, path, site }) {
      const id = randomUUID()
      const incoming = await open(origin, path(`/events?id=${id}`))
      expect(incoming.headers['content-type']).toBe('text/event-stream')
      await readUntil(incoming, 'data: ')
      incoming.destroy()
      await site.control.waitFor(id, 'disconnected')
    },
  },
  {
    name: 'an event stream opens before its first event',
    async run({ origin, path, mode, site }) {
      // Use eight consecutive head lengths, because FastCGI records are padded to a multiple of 8 bytes. Seven of these heads need padding.
      const lengths = mode.traits.startsPerRequest
        ? ['x']
        : Array.from({ length: 8 }, (_, i) => 'x'.repeat(i + 1))
      await Promise.all(
        lengths.map(async (length) => {
          const id = randomUUID()
          if (!mode.traits.flushesHeads) site.control.send(id, 'continue')
          const incoming = await open(origin, path(`/late-event?id=${id}&length=${length}`))
          expect(incoming.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-length': length })
          site.control.send(id, 'continue')
          expect((await readAll(incoming)).toString()).toBe('data: late\n\n')
        }),
      )
    },
  },
  {
    name: 'an upload that the client aborts does not reach the app as complete',
    async run({ origin, path, mode, site }) {
      const id = randomUUID()
      const client = connect(origin).on('error', () => {})
      const head = [
        `POST ${path(`/upload?id=${id}`)} HTTP/1.1`,
        'Host: front.test',
        'Content-Length: 1000000',
      ]
      client.write(`${head.join('\r\n')}\r\n\r\n${'x'.repeat(300_000)}`)
      if (mode.traits.streamsBodies) {
        await site.control.waitFor(id, 'started')
        client.destroy()
        await site.control.waitFor(id, 'failed')
        if (mode.traits.abortsUploads) await site.control.waitFor(id, 'aborted')
      } else {
        client.destroySoon()
        await once(client, 'close')
        // The front server reads the aborted upload before it responds to this request.
        expect((await send(origin, path('/text'))).text).toBe('some text\n')
        expect(site.control.wasSent(id, 'started')).toBe(false)
      }
      expect(site.control.wasSent(id, 'complete')).toBe(false)
    },
  },
  {
    name: 'an error before the response head causes a 500, and the error text is not in the response',
    async run({ origin, path, mode, site }) {
      const id = randomUUID()
      const response = await send(origin, path(`/fail/before?id=${id}`))
      expect(response.status).toBe(500)
      expect(response.text).not.toContain(id)
      if (mode.traits.logsErrors) await site.logged(id)
    },
  },
  {
    name: 'an error after the response head truncates the response, and the client detects it if the front server can signal it',
    async run({ origin, path, mode, site }) {
      const id = randomUUID()
      const { streamsResponses, failedResponse } = mode.traits
      const opened = open(origin, path(`/fail/after?id=${id}`))
      // If the front server does not stream, the client cannot see the beginning. The app then reports that it has sent it.
      const beginning = streamsResponses
        ? await readUntil(await opened, 'the beginning\n')
        : await site.control.waitFor(id, 'started')
      site.control.send(id, 'continue')
      const complete = opened.then(async (incoming) => {
        const rest = (await readAll(incoming)).toString()
        if (incoming.statusCode !== 200) throw new Error(`responded with ${incoming.statusCode}`)
        return beginning + rest
      })
      switch (failedResponse) {
        case 'aborted':
          // A front server that has forwarded nothing yet may close the connection, or respond with an error page of
          // its own.
          await expect(complete).rejects.toThrow(
            streamsResponses ? 'aborted' : /aborted|socket hang up|responded with 50[023]/,
          )
          break
        case 'error page':
          expect(await complete).toMatch(/^the beginning\n.*Internal Server Error/s)
          break
        case 'looks complete':
          expect(await complete).toBe('the beginning\n')
          break
      }
      if (mode.traits.logsErrors) await site.logged(id)
      expect((await send(origin, path('/text'))).text).toBe('some text\n')
    },
  },
  {
    name: 'a request that fails and an upload that is aborted do not affect a running request',
    async run({ origin, path, mode, site }) {
      const { streamsResponses, streamsBodies } = mode.traits
      const [running, failing, uploading] = [randomUUID(), randomUUID(), randomUUID()]
      if (!streamsResponses) site.control.send(running, 'continue')
      const incoming = await open(origin, path(`/stream?id=${running}`))

      const failed = send(origin, path(`/fail/after?id=${failing}`)).catch(() => {})
      await site.control.waitFor(failing, 'started')
      site.control.send(failing, 'continue')
      await failed

      const client = connect(origin).on('error', () => {})
      const head = [
        `POST ${path(`/upload?id=${uploading}`)} HTTP/1.1`,
        'Host: front.test',
        'Content-Length: 90000',
      ]
      client.write(`${head.join('\r\n')}\r\n\r\n${'x'.repeat(30_000)}`)
      if (streamsBodies) await site.control.waitFor(uploading, 'started')
      client.destroy()
      if (streamsBodies) await site.control.waitFor(uploading, 'failed')

      expect((await send(origin, path('/text'))).text).toBe('some text\n')
      site.control.send(running, 'continue')
      expect((await readAll(incoming)).toString()).toBe('first\nsecond\n')
    },
  },
]
