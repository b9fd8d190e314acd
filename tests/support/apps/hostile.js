// A core app for tests/limits/hostile-memory.test.ts. Its routes send data that a peer may leave unread.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { serve } from '@fcgi-bridge/core'
import { serveOptions } from './options.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')

const PIECE = Buffer.alloc(64 * 1024, 'a response without an end ')
const LINE = `${'an error message '.repeat(60)}\n`

/** @type {Record<string, import('@fcgi-bridge/core').Handler>} */
const routes = {
  // Sends data as fast as the peer reads it.
  '/endless'(exchange) {
    const write = () => {
      while (!exchange.ended && exchange.write(PIECE));
    }
    exchange.onDrain = write
    write()
  },

  // Writes 10 MiB, regardless of the peer.
  '/stderr'(exchange) {
    for (let i = 0; i < 10_000; i++) exchange.stderr.write(LINE)
  },

  '/unread'() {},

  async '/heap'(exchange) {
    for (let i = 0; i < 3; i++) {
      gc()
      await new Promise(setImmediate)
    }
    const { heapUsed, external } = process.memoryUsage()
    const handles = process.getActiveResourcesInfo().length
    exchange.end(JSON.stringify({ heap: heapUsed + external, handles }))
  },

  '/'(exchange) {
    exchange.end('served\n')
  },
}

await serve((exchange) => routes[exchange.target](exchange), {
  ...serveOptions,
  ...JSON.parse(process.env.FCGI_BRIDGE_TEST_OPTIONS ?? '{}'),
})
