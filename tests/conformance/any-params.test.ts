// For any params from a front server, core and both adapters build the same request with a URL that parses, or all reject it with
// a 400.
import { createServer, type FastCgiServer, type Handler } from '@fcgi-bridge/core'
import { toHandler as listenerToHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as fetchToHandler } from '@fcgi-bridge/fetch-adapter'
import { Peer } from '@fcgi-bridge/testing'
import express from 'express'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { anyParams } from '../../packages/core/src/testing/arbitraries.ts'
import { Site } from '../support/fronts/site.ts'

/** A request as the app received it. */
interface ReceivedRequest {
  method: string
  url: string
  target?: string
}

// In a header, because a response to HEAD has no body. Encoded, because a header cannot hold every character.
function asHeader(request: ReceivedRequest): [name: string, value: string] {
  return ['x-received', encodeURIComponent(JSON.stringify(request))]
}

const bare: Handler = (exchange) => {
  const { method, url, target } = exchange
  exchange.writeHead(200, asHeader({ method, url, target }))
  exchange.end()
}

function fetch({ method, url }: Request): Response {
  return new Response('', { headers: [asHeader({ method, url })] })
}

const app = express().use((request, response) => {
  const { method, originalUrl: target, protocol, headers } = request
  const path = target === '*' ? '/' : target
  // A URL parser treats bytes beyond ASCII as characters, as on node:http. So compare only the origin.
  const url = new URL(`${protocol}://${headers.host ?? 'none.test'}${path}`).origin
  response.header(...asHeader({ method, target, url })).end()
})

const handlers = {
  core: bare,
  'Request of the platform': fetchToHandler(fetch),
  'light Request': fetchToHandler(fetch, { overrideGlobalObjects: true }),
  Express: listenerToHandler(app),
} satisfies Record<string, Handler>

const servers: FastCgiServer[] = []
const peers: Peer[] = []
let site: Site

beforeAll(async () => {
  site = new Site()
  for (const [name, handler] of Object.entries(handlers)) {
    const server = createServer(handler)
    servers.push(server)
    const path = site.path(name)
    await server.listen({ path })
    peers.push(await Peer.connect({ path }))
  }
})

afterAll(async () => {
  for (const peer of peers) peer.destroy()
  for (const server of servers) await server.close()
  await site.stop()
})

/** The status of a response, and the request as the app received it. */
async function ask(
  peer: Peer,
  list: [name: string, value: string][],
): Promise<{ status: number; received?: ReceivedRequest }> {
  peer.begin(1, { keepConn: true }).params(1, list).stdin(1, 'a body').endStdin(1)
  const { stdout } = await peer.response(1)
  peer.forget()
  const status = Number(/^Status: (\d+)/.exec(stdout)![1])
  const header = /^x-received: (\S+)/im.exec(stdout)
  return header === null ? { status } : { status, received: JSON.parse(decodeURIComponent(header[1]!)) }
}

test('for any params, every app receives the same request, or all respond with a 400', async () => {
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(anyParams, async (list) => {
      const [core, request, light, req] = await Promise.all(peers.map((peer) => ask(peer, list)))
      statuses.add(core!.status)
      if (core!.received === undefined) {
        expect(core).toEqual({ status: 400 })
        expect([request, light, req]).toEqual([core, core, core])
        return
      }
      const { method, target, url } = core!.received
      const { href, origin } = new URL(url)
      expect(req!.received).toMatchObject({ method, target })
      // Without a Host header, Express has no host either.
      expect([origin, `${new URL(url).protocol}//none.test`]).toContain(req!.received!.url)
      if (/^(?:connect|trace|track)$/i.test(method)) {
        expect([request, light]).toEqual([{ status: 501 }, { status: 501 }])
      } else {
        expect(request!.received!.url).toBe(href)
        expect(light).toEqual(request)
      }
    }),
    { numRuns: 500 },
  )
  expect([...statuses].sort()).toEqual([200, 400])
})
