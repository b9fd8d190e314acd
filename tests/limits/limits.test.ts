// Each package's `serve` passes the limits of packages/core/LIMITS.md on to its server.
import type { AddressInfo } from 'node:net'
import { type FastCgiServer, type ServeOptions, serve } from '@fcgi-bridge/core'
import { serve as serveListener } from '@fcgi-bridge/express-adapter'
import { serve as serveFetch } from '@fcgi-bridge/fetch-adapter'
import { Peer } from '@fcgi-bridge/testing'
import { expect, onTestFinished, test } from 'vitest'

const OPTIONS: ServeOptions = {
  port: 0,
  host: '127.0.0.1',
  handleSignals: false,
  maxHeaderBytes: 100,
  maxRequestsPerConnection: 1,
}

const fetch = () => new Promise<Response>(() => {})

test.each<[string, () => Promise<FastCgiServer>]>([
  ['core', () => serve(() => {}, OPTIONS)],
  ['the Express adapter', () => serveListener(() => {}, OPTIONS)],
  ['the fetch adapter, as serve({ fetch, ...options })', () => serveFetch({ fetch, ...OPTIONS })],
  ['the fetch adapter, as serve(fetch, options)', () => serveFetch(fetch, OPTIONS)],
])('serve() applies the limits: %s', async (_, start) => {
  const server = await start()
  onTestFinished(() => server.close())
  const peer = await Peer.connect(server.address() as AddressInfo)
  peer.get(1, { HTTP_COOKIE: 'x'.repeat(100) }, { keepConn: true })
  expect((await peer.response(1)).stdout).toMatch(/^Status: 431 /)
  peer.get(2, {}, { keepConn: true }).get(3, {}, { keepConn: true })
  expect(await peer.response(3)).toMatchObject({
    stdout: expect.stringMatching(/^Status: 503 /),
    protocolStatus: 2,
  })
  peer.destroy()
})
