import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { quantile } from '../lib/stats.js'

// Milliseconds after which a client aborts its request.
const TIMEOUT = 15_000

const MOST_PER_TURN = 5

/** Sends a request. Resolves with its status, or with what went wrong. */
export function ask({ port, agent }, path, method = 'GET') {
  return new Promise((resolve) => {
    const sent = request({ port, host: '127.0.0.1', path, method, agent, timeout: TIMEOUT })
    let isLate = false
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more) => {
        text += more
      })
      response.on('end', () => resolve({ status: response.statusCode, text }))
      response.on('error', () => resolve({ status: 'cut off', text }))
    })
    sent.on('timeout', () => {
      isLate = true
      sent.destroy()
    })
    sent.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      resolve({ status: isLate ? 'time-out' : (error.code ?? error.message), text: '' }),
    )
    sent.end(method === 'POST' ? 'x'.repeat(2048) : undefined)
  })
}

/** Sends `count` requests of `wait` milliseconds at once, and returns the time until the last response. */
export async function burst(site, count, wait) {
  const began = performance.now()
  await Promise.all(Array.from({ length: count }, () => ask(site, `/?wait=${wait}`)))
  return performance.now() - began
}

/** Sends requests on `connections` kept connections, one after the other, and returns their number. `until` says when to stop. */
export async function closedLoop(site, connections, until) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  let count = 0
  const client = async () => {
    while (!until(count)) {
      count++
      const { status } = await ask({ ...site, agent }, '/')
      if (status !== 200) throw new Error(`The response was ${status}.`)
    }
  }
  await Promise.all(Array.from({ length: connections }, client))
  agent.destroy()
  return count
}

/**
 * Sends requests of 15 ms at a rate that does not depend on the responses, a third of them POST, and calls `disturb` in an interval. Returns a
 * text: how many were lost, and the time of the 99th percentile.
 */
export async function underLoad(site, { seconds, rate }, interval = 0, disturb = () => {}) {
  const sent = []
  const times = []
  const began = performance.now()
  const timer = interval > 0 ? setInterval(() => void disturb(), interval) : undefined
  while (performance.now() - began < seconds * 1000) {
    // Requests that are late are sent over several turns of the event loop, so that responses are read meanwhile.
    const due = Math.min(((performance.now() - began) / 1000) * rate, sent.length + MOST_PER_TURN)
    while (sent.length < due) {
      const at = performance.now()
      const response = ask(site, '/?wait=15', sent.length % 3 === 0 ? 'POST' : 'GET')
      sent.push(
        response.then(({ status }) => {
          times.push(performance.now() - at)
          return status
        }),
      )
    }
    await setTimeout(5)
  }
  clearInterval(timer)
  const statuses = await Promise.all(sent)
  const lost = statuses.filter((status) => status !== 200)
  const kinds = [...new Set(lost)].map((kind) => `${lost.filter((each) => each === kind).length} × ${kind}`)
  const p99 = quantile(
    times.sort((a, b) => a - b),
    0.99,
  )
  return `${lost.length === 0 ? '0' : kinds.join(', ')} of ${statuses.length} lost, p99 ${Math.round(p99)} ms`
}
