// What a server may send, whatever it was sent: whole records, of requests that were begun, each in the order of an answer.

import {
  ABORT_REQUEST,
  BEGIN_REQUEST,
  END_REQUEST,
  GET_VALUES,
  GET_VALUES_RESULT,
  PARAMS,
  readRecords,
  STDERR,
  STDIN,
  STDOUT,
  UNKNOWN_TYPE,
} from './wire.js'

const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * Looks at all that a server sent on a connection. Throws where it is no FastCGI, or no answer to what the peer sent.
 * @param {Buffer} sent By the peer.
 * @param {Buffer} received From the server.
 * @param {{ whole: boolean, isTcp: boolean }} connection Whether the server ended the connection itself, and what it sent has to
 *   be complete. Over TCP it resets one to show that an answer is cut, which libuv tells of as of an end, and what was under
 *   way may be lost: nothing is missed there.
 */
export function checkAnswers(sent, received, { whole, isTcp }) {
  const asked = new Asked(sent)
  const { records, rest } = readRecords(received)
  // Where it can not reset the connection, the server shows with a header of version 0 that an answer is cut.
  const cut = rest.length === 8 && rest.every((byte) => byte === 0)
  if (whole && !isTcp && rest.length > 0 && !cut) fail(`what is no record: ${rest.toString('hex', 0, 32)}`)

  const answers = new Answers(asked)
  for (const one of records) answers.add(one)
  if (whole && !cut && !isTcp) answers.checkEnd()
}

const FILTER = 3

/** What the peer asked for. */
class Asked {
  /** BEGIN_REQUESTs by their ids. @type {Map<number, number>} */
  begun = new Map()
  /** Ids of which some request may have been aborted. @type {Set<number>} */
  aborted = new Set()
  getValues = 0
  others = 0
  /** The id of the first request, where all of that was sent before anything that is wrong. @type {number | undefined} */
  complete

  /** @param {Buffer} sent */
  constructor(sent) {
    const { records, rest } = readRecords(sent)
    const ended = new Set()
    let first
    let broken = false
    for (const { type, id, content } of records) {
      if (type === BEGIN_REQUEST) {
        if (id === 0 || content.length !== 8) break
        // The id of one that has not ended, unless it has: from here on there may be an error.
        if (this.begun.has(id)) broken = true
        this.begun.set(id, (this.begun.get(id) ?? 0) + 1)
        // A filter's file has to come in as well: left alone.
        if (content.readUInt16BE(0) === FILTER) broken = true
        first ??= id
      } else if (type === ABORT_REQUEST) this.aborted.add(id)
      else if (id === 0 && type === GET_VALUES) this.getValues++
      else if (id === 0 && (type === 0 || type > UNKNOWN_TYPE)) this.others++
      // A body behind the end of its stream: mod_fcgid sends an empty record first, and it may be none.
      else if (id === first && type === STDIN && content.length > 0 && ended.has(STDIN))
        this.complete = undefined
      else if (id === first && content.length === 0) {
        if (type === PARAMS || (type === STDIN && ended.has(PARAMS))) ended.add(type)
        if (ended.size === 2 && !broken) this.complete = id
      }
    }
    // Behind what is no FastCGI at all, or half a record, nothing is answered.
    if (rest.length > 0) this.complete = undefined
  }
}

class Answers {
  #asked
  /** Requests that output has come of, and no end: by id, the text so far, undefined behind the end of STDOUT. */
  #open = new Map()
  /** @type {Map<number, number>} */
  #ends = new Map()
  #values = 0
  #unknown = 0

  /** @param {Asked} asked */
  constructor(asked) {
    this.#asked = asked
  }

  /** @param {import('./wire.js').WireRecord} one */
  add({ type, id, content, padding }) {
    if (padding.some((byte) => byte !== 0)) fail(`padding that is not zero, in a record of type ${type}`)
    // A server probes its peer with an empty STDERR record of 263 bytes, and sends a flushed response head without padding.
    const isProbe = type === STDERR && content.length === 0
    const isHead = type === STDOUT && padding.length === 0 && content.subarray(-4).equals(HEAD_END)
    const isAligned = (content.length + padding.length) % 8 === 0
    if (!isAligned && !isProbe && !isHead) fail(`a record of type ${type} that is not aligned`)
    if (id === 0) this.#addManagement(type)
    else this.#addOutput(type, id, content)
  }

  #addManagement(type) {
    if (type === GET_VALUES_RESULT) this.#values++
    else if (type === UNKNOWN_TYPE) this.#unknown++
    else fail(`a record of type ${type} with the id 0`)
    if (this.#values > this.#asked.getValues) fail('a GET_VALUES_RESULT that nobody asked for')
    if (this.#unknown > this.#asked.others) fail('an UNKNOWN_TYPE for nothing')
  }

  #addOutput(type, id, content) {
    const ends = this.#ends.get(id) ?? 0
    if (ends >= (this.#asked.begun.get(id) ?? 0))
      fail(`a record of type ${type} for ${id}, which has not begun`)
    const answer = this.#open.get(id) ?? { head: '', ended: false }
    this.#open.set(id, answer)
    if (type === STDOUT) {
      if (answer.ended) fail(`STDOUT of ${id} behind its end`)
      if (content.length === 0) answer.ended = true
      else if (answer.head === '') answer.head = content.toString('latin1', 0, 9)
    } else if (type === END_REQUEST) {
      if (content.length !== 8) fail(`an END_REQUEST of ${content.length} bytes`)
      this.#open.delete(id)
      this.#ends.set(id, ends + 1)
      const cut = this.#asked.aborted.has(id) || content.readUInt32BE(0) !== 0
      if (!cut && !answer.ended) fail(`END_REQUEST of ${id} without the end of its STDOUT`)
      if (answer.ended && !/^(?:Status: |Location:)/i.test(answer.head))
        fail(`an answer to ${id} without a head`)
    } else if (type !== STDERR) fail(`a record of type ${type}`)
  }

  /** The server has ended the connection. */
  checkEnd() {
    const { complete } = this.#asked
    if (complete !== undefined && !this.#ends.has(complete))
      fail(`no END_REQUEST of ${complete}, which was whole`)
  }
}

function fail(what) {
  throw new Error(`The server sent ${what}.`)
}
