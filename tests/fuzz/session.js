// A session is what the fuzzer sends on one connection. It depends only on a seed and a number.

import { Random } from './random.js'
import { BEGIN_REQUEST, record } from './wire.js'

/**
 * @typedef {object} Session
 * @property {string} name The recording that the session was made from, and its mutations.
 * @property {string} target The app that receives it: a name of TARGETS.
 * @property {Buffer[]} records The bytes to send, in order. Whole records unless a mutation broke them.
 * @property {number[]} writes The number of records in each write.
 * @property {'end' | 'reset' | 'leave'} ending `end`: the peer half-closes and continues to read. `reset`: it
 *   disconnects at once. `leave`: it disconnects when the first bytes arrive.
 */

/** The apps that receive the sessions. See server.js. */
export const TARGETS = ['core', 'core over TCP', 'fetch', 'Express']

/**
 * @param {import('./corpus.js').Capture[]} corpus
 * @param {number} seed
 * @param {number} number
 * @returns {Session}
 */
export function makeSession(corpus, seed, number) {
  const random = new Random(seed, number)
  const capture = random.pick(corpus)
  const names = [capture.name]
  /** @type {Buffer[]} */
  let records = [...capture.records]
  do {
    const mutation = random.pick(MUTATIONS)
    names.push(mutation.name)
    records = mutation(records, random, corpus)
  } while (!random.once(2))
  return {
    name: names.join(' '),
    target: random.pick(TARGETS),
    records,
    writes: cut(records.length, random),
    ending: random.once(6) ? random.pick(['reset', 'leave']) : 'end',
  }
}

// Each mutation returns new records. It copies bytes before it changes them, because all sessions share the recordings.
/** @type {((records: Buffer[], random: Random, corpus: import('./corpus.js').Capture[]) => Buffer[])[]} */
const MUTATIONS = [
  function flip(records, random) {
    return change(records, random, (bytes) => {
      for (let bits = 1 + random.below(3); bits > 0; bits--)
        bytes[place(bytes, random)] ^= 1 << random.below(8)
    })
  },

  function overwrite(records, random) {
    return change(records, random, (bytes) => {
      bytes[place(bytes, random)] = random.pick([0, 1, 2, 4, 5, 8, 127, 128, 255, random.below(256)])
    })
  },

  function drop(records, random) {
    return records.length === 1 ? records : records.toSpliced(random.below(records.length), 1)
  },

  function repeat(records, random) {
    const at = random.below(records.length)
    const times = random.once(20) ? 300 : 1 + random.below(3)
    return records.toSpliced(at, 0, ...Array(times).fill(records[at]))
  },

  function swap(records, random) {
    const [one, other] = [random.below(records.length), random.below(records.length)]
    return records.with(one, records[other]).with(other, records[one])
  },

  function move(records, random) {
    const rest = [...records]
    const taken = rest.splice(random.below(rest.length), 1 + random.below(3))
    return rest.toSpliced(random.below(rest.length + 1), 0, ...taken)
  },

  function truncate(records, random) {
    return change(records, random, (bytes) => bytes.subarray(0, random.below(bytes.length)))
  },

  function stop(records, random) {
    const last = random.below(records.length)
    const record = records[last]
    return [...records.slice(0, last), record.subarray(0, 1 + random.below(record.length))]
  },

  function insert(records, random) {
    return records.toSpliced(random.below(records.length + 1), 0, stray(random))
  },

  // Requests of two front servers on one connection, with different ids or the same ones.
  function mix(records, random, corpus) {
    const shift = random.below(3)
    const others = random.pick(corpus).records.map((one) => {
      const bytes = Buffer.from(one)
      if (bytes[2] * 256 + bytes[3] > 0) bytes[3] += shift
      return bytes
    })
    const mixed = [...records]
    let at = 0
    for (const other of others) {
      at += random.below(mixed.length - at + 1)
      mixed.splice(at++, 0, other)
    }
    return mixed
  },

  // The same request again after the first, as on a keep-alive connection.
  function keep(records) {
    const kept = records.map((one) => {
      if (one[1] !== BEGIN_REQUEST || one.length < 11) return one
      const bytes = Buffer.from(one)
      bytes[10] |= 1
      return bytes
    })
    return [...kept, ...records]
  },
]

/** @param {Random} random */
function stray(random) {
  const id = random.pick([0, 1, 2, 255, 65535])
  const types = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255]
  if (random.once(30)) return Buffer.from('GET / HTTP/1.1\r\nHost: front.test\r\n\r\n')
  return record(random.pick(types), id, Buffer.alloc(random.pick([0, 1, 8, 100]), random.below(256)))
}

/**
 * @param {Buffer[]} records
 * @param {Random} random
 * @param {(bytes: Buffer) => Buffer | void} edit
 */
function change(records, random, edit) {
  const at = random.below(records.length)
  if (!records[at]?.length) return records
  const bytes = Buffer.from(records[at])
  return records.with(at, edit(bytes) ?? bytes)
}

// Record headers, and the lengths and names at the start of params, affect parsing more than later bytes.
function place(bytes, random) {
  return random.below(random.once(2) ? Math.min(bytes.length, 24) : bytes.length)
}

/** @param {number} count @param {Random} random */
function cut(count, random) {
  if (random.once(2)) return [count]
  const writes = []
  for (let left = count; left > 0; left -= writes.at(-1)) writes.push(1 + random.below(Math.min(left, 8)))
  return writes
}

/** A session as JSON, for a file. @param {Session} session */
export function toJson(session) {
  return { ...session, records: session.records.map((bytes) => bytes.toString('base64')) }
}

/** @returns {Session} */
export function fromJson(json) {
  return { ...json, records: json.records.map((text) => Buffer.from(text, 'base64')) }
}
