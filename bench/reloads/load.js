import { Agent, request } from 'node:http'
import { quantile } from '../lib/stats.js'

// Milliseconds after which a client aborts its request.
const TIMEOUT = 15_000
// Concurrent requests. A machine that is too busy for the rate would otherwise fill queues, which has nothing to do with reloads.
const MOST = 100

/**
 * Sends requests at a fixed rate, independent of the responses. Every third is a POST, and each has its own connection.
 * @param {{ port: number, rate: number }} target
 */
export function startLoad({ port, rate }) {
  const failed = []
  const durations = []
  const running = new Set()
  const began = performance.now()
  let requests = 0
  let skipped = 0
  const timer = setInterval(() => {
    while (requests + skipped < ((performance.now() - began) / 1000) * rate) {
      if (running.size >= MOST) {
        skipped++
        continue
      }
      const method = requests++ % 3 === 0 ? 'POST' : 'GET'
      const start = performance.now()
      const one = ask(port, method, `body ${requests}`).then((problem) => {
        running.delete(one)
        if (problem === undefined) durations.push(performance.now() - start)
        else failed.push({ method, problem, at: new Date().toISOString() })
      })
      running.add(one)
    }
  }, 5)
  return {
    /** Sends no more, and waits for the responses. */
    async stop() {
      clearInterval(timer)
      await Promise.all(running)
      const sorted = durations.sort((a, b) => a - b)
      const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(sorted, share))
      return { requests, failed, p50, p99, max }
    },
  }
}

/** Resolves with what went wrong; undefined after a complete response with status 200 and the body that was sent. */
function ask(port, method, body) {
  return new Promise((resolve) => {
    const outgoing = request({
      port,
      host: '127.0.0.1',
      method,
      path: '/load',
      agent: new Agent(),
      timeout: TIMEOUT,
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no response for ${TIMEOUT / 1000} s`)))
    outgoing.on('error', (/** @type {NodeJS.ErrnoException} */ error) => resolve(error.code ?? error.message))
    outgoing.on('response', (incoming) => {
      let text = ''
      incoming.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      incoming.on('error', (error) => resolve(error.message))
      incoming.on('end', () => {
        if (incoming.statusCode !== 200) resolve(String(incoming.statusCode))
        else resolve(text === (method === 'POST' ? `POST ${body}` : 'GET ') ? undefined : 'wrong body')
      })
    })
    outgoing.end(method === 'POST' ? body : undefined)
  })
}
