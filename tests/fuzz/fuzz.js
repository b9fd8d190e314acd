// Sends mutated sessions to the servers of server.js, many at a time, while neighbours send valid requests.

import { setTimeout } from 'node:timers/promises'
import { checkRoom, Neighbour, send } from './client.js'
import { readCorpus } from './corpus.js'
import { ServerProcess } from './process.js'
import { makeSession, TARGETS } from './session.js'

// Number of concurrent sessions.
const CONCURRENCY = 32

// Number of warm-up sessions. Memory that they allocate stays in use: code, tables, and state that later sockets share.
const WARM_UP = 5000

// Allowed growth of the heap in bytes, after all served requests have been released.
const GROWTH_MAX = 4 * 1024 * 1024

// Milliseconds within which a server must release closed connections.
const RELEASE_LIMIT = 30_000

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./process.js').Measurement} Measurement */

/**
 * @typedef {object} Summary
 * @property {number} sessions
 * @property {number} neighbours Valid requests that got responses meanwhile.
 * @property {Measurement} before After the first sessions.
 * @property {Measurement} after
 */

/** A fault that a session caused. */
export class Finding extends Error {
  /** The sessions that ran when the fault occurred, or the one that caused it. @type {Session[]} */
  sessions

  /** @param {unknown} error @param {Session[]} sessions */
  constructor(error, sessions) {
    super(error instanceof Error ? error.message : String(error), { cause: error })
    this.sessions = sessions
  }
}

/**
 * Sends `count` sessions, or fewer if `more` returns false. Rejects with a {@link Finding}. `startServer` and `releaseLimit` are for tests of
 * the fuzzer.
 * @param {{
 *   seed: number, count: number, more?: () => boolean, onProgress?: (sessions: number) => void,
 *   startServer?: () => Promise<ServerProcess>, releaseLimit?: number
 * }} options
 * @returns {Promise<Summary>}
 */
export function fuzz({ seed, count, more = () => true, onProgress = () => {}, ...harness }) {
  const corpus = readCorpus()
  const warmUp = Math.min(WARM_UP, Math.ceil(count / 4))
  function* sessions(from, to) {
    for (let number = from; number < to && more(); number++) {
      if (number % 1000 === 0) onProgress(number)
      yield makeSession(corpus, seed, number)
    }
  }
  return sendAll([sessions(0, warmUp), sessions(warmUp, count)], harness)
}

/** Sends sessions to a fresh server, all at once. Rejects with a {@link Finding}. @param {Session[]} sessions */
export async function replay(sessions) {
  await sendAll([[], sessions])
}

/**
 * @param {[Iterable<Session>, Iterable<Session>]} parts
 * @param {{ startServer?: () => Promise<ServerProcess>, releaseLimit?: number }} [harness]
 * @returns {Promise<Summary>}
 */
async function sendAll(
  [first, rest],
  { startServer = () => ServerProcess.start(), releaseLimit = RELEASE_LIMIT } = {},
) {
  const server = await startServer()
  try {
    const warmUp = await sendPart(server, first)
    const before = await blaming(warmUp.last, () => settled(server, releaseLimit))
    const main = await sendPart(server, rest)
    return await blaming(main.last, async () => {
      const after = await settled(server, releaseLimit, before)
      for (const target of TARGETS) await checkRoom(server.at[target])
      const exit = await server.stop()
      if (exit !== 0) throw new Error(`The server's process ended with ${exit}: ${server.output}`)
      const sessions = warmUp.sessions + main.sessions
      return { sessions, neighbours: warmUp.neighbours + main.neighbours, before, after }
    })
  } finally {
    await server.stop()
  }
}

/**
 * Runs a check. Its failure is a {@link Finding} about the sessions that were sent before it.
 * @template Result
 * @param {Session[]} suspects
 * @param {() => Promise<Result>} run
 */
async function blaming(suspects, run) {
  try {
    return await run()
  } catch (error) {
    throw new Finding(error, suspects)
  }
}

/** @param {ServerProcess} server @param {Iterable<Session>} sessions */
async function sendPart(server, sessions) {
  const iterator = sessions[Symbol.iterator]()
  /** The running sessions. @type {Set<Session>} */
  const running = new Set()
  /** The latest sessions: the suspects for a fault that is found while no session runs. */
  const last = []
  let sent = 0
  let neighbours = 0
  let finding
  const fail = (error, suspects) => {
    finding ??= new Finding(server.running ? error : `The server's process died. ${server.output}`, suspects)
  }

  const lane = async () => {
    while (finding === undefined) {
      const { done, value: session } = iterator.next()
      if (done) return
      running.add(session)
      last.push(session)
      if (last.length > CONCURRENCY) last.shift()
      try {
        await send(server.at[session.target], session)
      } catch (error) {
        fail(error, [session])
      }
      running.delete(session)
      sent++
    }
  }
  const neighbour = async (target) => {
    const ask = async (one) => {
      try {
        await one.ask()
        neighbours++
      } catch (error) {
        fail(`${target}: ${error.message}`, running.size > 0 ? [...running] : last)
      }
    }
    const during = new Neighbour(server.at[target])
    do {
      await ask(during)
      await setTimeout(2)
    } while (!over && finding === undefined)
    during.close()
    const after = new Neighbour(server.at[target])
    await ask(after)
    after.close()
  }
  let over = false
  const neighboursEnd = TARGETS.map(neighbour)
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  over = true
  await Promise.all(neighboursEnd)
  if (finding !== undefined) throw finding
  return { sessions: sent, neighbours, last }
}

/**
 * Measures the server after all connections have closed. Rejects if it still holds too much.
 * @param {ServerProcess} server
 * @param {number} releaseLimit
 * @param {Measurement} [before]
 */
async function settled(server, releaseLimit, before) {
  const until = performance.now() + releaseLimit
  for (;;) {
    const after = await server.measure()
    try {
      check(after, before ?? after)
      return after
    } catch (error) {
      if (performance.now() > until) throw error
    }
    await setTimeout(100)
  }
}

/** @param {Measurement} after @param {Measurement} before */
function check(after, before) {
  if (after.connections > 0)
    throw new Error(`${after.connections} connections of disconnected peers are still open.`)
  if (after.running > 0) throw new Error(`${after.running} requests of closed connections have not ended.`)
  if (after.rejections > 0) throw new Error(`${after.rejections} unhandled rejections.`)
  for (const what of ['handles', 'descriptors']) {
    if (after[what] > before[what]) throw new Error(`${what} went from ${before[what]} to ${after[what]}.`)
  }
  const growth = after.heap - before.heap
  if (growth > GROWTH_MAX) throw new Error(`The heap grew by ${Math.round(growth / 1024)} KiB.`)
}
