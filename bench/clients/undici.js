// The measured client: undici's `request`, over a FastCgiDispatcher or over undici's own Pool. `lib/client-side.js` starts this
// program and sends it the number of requests. Each connection always has one request in progress.

import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { Pool, request } from 'undici'
import { checkBody } from '../load/expected.js'

/** @type {import('../lib/client-side.js').ClientTask} */
const { address, body, connections, expected, headers, method, path, protocol } = JSON.parse(process.argv[2])
const url = `http://www.example.com${path}`
const options = { body, dispatcher: createDispatcher(), headers: Object.fromEntries(headers), method }

function createDispatcher() {
  if (protocol === 'fastcgi') {
    return new FastCgiDispatcher(address, { maxConnections: connections, maxIdleConnections: connections })
  }
  if ('path' in address) {
    return new Pool('http://localhost', { connections, connect: { socketPath: address.path } })
  }
  return new Pool(`http://${address.host ?? 'localhost'}:${address.port}`, { connections })
}

/** @param {import('../load/closed-loop.js').Bounds} bounds */
async function run({ milliseconds, requests: most = Number.POSITIVE_INFINITY }) {
  const start = performance.now()
  let requests = 0
  const work = async () => {
    while (requests < most && performance.now() - start < milliseconds) {
      requests++
      const { body } = await request(url, options)
      const text = await body.text()
      checkBody(expected, Buffer.byteLength(text), text)
    }
  }
  await Promise.all(Array.from({ length: connections }, work))
  return { requests, milliseconds: performance.now() - start }
}

process.on('message', async (message) => {
  const bounds = /** @type {import('../load/closed-loop.js').Bounds} */ (message)
  try {
    process.send?.({ result: await run(bounds) })
  } catch (error) {
    process.send?.({ error: error.stack })
  }
})

// The benchmark has ended.
process.on('disconnect', () => process.exit())
process.send?.('ready')
