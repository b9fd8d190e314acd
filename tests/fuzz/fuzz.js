// Sends mutated sessions to the servers of server.js, many at a time, beside neighbours whose requests are good.

import { setTimeout } from 'node:timers/promises'
import { checkRoom, Neighbour, send } from './client.js'
import { readCorpus } from './corpus.js'
import { ServerProcess } from './process.js'
import { makeSession, TARGETS } from './session.js'

// Sessions that run at the same time.
const CONCURRENCY = 32

// What the first sessions bring into memory stays there: code, tables, what every socket after them uses.
const WARM_UP = 5000

// Bytes by which the heap may differ when all that was served is forgotten.
const GROWTH_MAX = 4 * 1024 * 1024

// Milliseconds in which a server lets go of connections that have gone.
const SETTLING = 30_000

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./process.js').Measurement} Measurement */

/**
 * @typedef {object} Summary
 * @property {number} sessions
 * @property {number} neighbours Good requests that were answered beside them.
 * @property {Measurement} before When the first sessions had been sent.
 * @property {Measurement} after
 */

/** Something that no session may bring about. */
export class Finding extends Error {
  /** Those that ran when it came, or the one that brought it about. @type {Session[]} */
  sessions

  /** @param {unknown} error @param {Session[]} sessions */
  constructor(error, sessions) {
    super(error instanceof Error ? error.message : String(error), { cause: error })
    this.sessions = sessions
  }
}

/**
 * Sends `count` sessions, or fewer when `more` says so. Rejects with a {@link Finding}.
 * @param {{ seed: number, count: number, more?: () => boolean, onProgress?: (sessions: number) => void }} options
 * @returns {Promise<Summary>}
 */
export function fuzz({ seed, count, more = () => true, onProgress = () => {} }) {
  const corpus = readCorpus()
  const warmUp = Math.min(WARM_UP, Math.ceil(count / 4))
  function* sessions(from, to) {
    for (let number = from; number < to && more(); number++) {
      if (number % 1000 === 0) onProgress(number)
      yield makeSession(corpus, seed, number)
    }
  }
  return sendAll([sessions(0, warmUp), sessions(warmUp, count)])
}

/** Sends sessions to a fresh server, all at once. Rejects with a {@link Finding}. @param {Session[]} sessions */
export async function replay(sessions) {
  await sendAll([[], sessions])
}

/** @param {[Iterable<Session>, Iterable<Session>]} parts @returns {Promise<Summary>} */
async function sendAll([first, rest]) {
  const server = await ServerProcess.start()
  try {
    const warmUp = await sendPart(server, first)
    const before = await settled(server)
    const main = await sendPart(server, rest)
    try {
      const after = await settled(server, before)
      for (const target of TARGETS) await checkRoom(server.at[target])
      const exit = await server.stop()
      if (exit !== 0) throw new Error(`The server's process ended with ${exit}: ${server.output}`)
      const sessions = warmUp.sessions + main.sessions
      return { sessions, neighbours: warmUp.neighbours + main.neighbours, before, after }
    } catch (error) {
      throw new Finding(error, main.last)
    }
  } finally {
    await server.stop()
  }
}

/** @param {ServerProcess} server @param {Iterable<Session>} sessions */
async function sendPart(server, sessions) {
  const iterator = sessions[Symbol.iterator]()
  /** Those that run now. @type {Set<Session>} */
  const running = new Set()
  /** Those that were sent last: what is found when all have ended is the doing of one of them, or of none. */
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
    const beside = new Neighbour(server.at[target])
    do {
      await ask(beside)
      await setTimeout(2)
    } while (!over && finding === undefined)
    beside.close()
    const after = new Neighbour(server.at[target])
    await ask(after)
    after.close()
  }
  let over = false
  const beside = TARGETS.map(neighbour)
  await Promise.all(Array.from({ length: CONCURRENCY }, lane))
  over = true
  await Promise.all(beside)
  if (finding !== undefined) throw finding
  return { sessions: sent, neighbours, last }
}

/**
 * What is left when all connections have gone. Rejects when that is too much.
 * @param {ServerProcess} server
 * @param {Measurement} [before]
 */
async function settled(server, before) {
  const until = performance.now() + SETTLING
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
    throw new Error(`${after.connections} connections are left of peers that have gone.`)
  if (after.running > 0)
    throw new Error(`${after.running} requests have not ended, of connections that have.`)
  if (after.rejections > 0) throw new Error(`${after.rejections} unhandled rejections.`)
  for (const what of ['handles', 'descriptors']) {
    if (after[what] > before[what]) throw new Error(`${what} went from ${before[what]} to ${after[what]}.`)
  }
  const growth = after.heap - before.heap
  if (growth > GROWTH_MAX) throw new Error(`The heap grew by ${Math.round(growth / 1024)} KiB.`)
}
