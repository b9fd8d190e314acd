// Checks what a server sends for any input: whole records, only for requests that have begun, each response in a valid order.

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
 * Checks all bytes that a server sent on a connection. Throws if they are not FastCGI, or not responses to what the peer sent.
 * @param {Buffer} sent Bytes sent by the peer.
 * @param {Buffer} received Bytes received from the server.
 * @param {{ whole: boolean, isTcp: boolean }} connection `whole`: the server ended the connection itself, so its output must be
 *   complete. Over TCP the server resets the connection to show that a response is incomplete. libuv reports that as an end, and
 *   bytes in transit may be lost, so missing bytes are no fault there.
 */
export function checkResponses(sent, received, { whole, isTcp }) {
  const sentRequests = new SentRequests(sent)
  const { records, rest } = readRecords(received)
  // If the server cannot reset the connection, it sends a header of version 0 to show that a response is incomplete.
  const cut = rest.length === 8 && rest.every((byte) => byte === 0)
  if (whole && !isTcp && rest.length > 0 && !cut)
    fail(`bytes that are not a record: ${rest.toString('hex', 0, 32)}`)

  const responses = new Responses(sentRequests)
  for (const one of records) responses.add(one)
  if (whole && !cut && !isTcp) responses.checkEnd()
}

const FILTER = 3

/** The requests that the peer sent. */
class SentRequests {
  /** Number of BEGIN_REQUESTs by id. @type {Map<number, number>} */
  begins = new Map()
  /** Ids for which an ABORT_REQUEST was sent. @type {Set<number>} */
  aborted = new Set()
  getValues = 0
  /** Number of management records of an unknown type. */
  unknownTypes = 0
  /** The id of the first request, if all of it was sent before any invalid record. @type {number | undefined} */
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
        // The id may belong to a request that is still running. From here on, the server may report an error.
        if (this.begins.has(id)) broken = true
        this.begins.set(id, (this.begins.get(id) ?? 0) + 1)
        // A filter also needs its DATA stream, which is not checked here.
        if (content.readUInt16BE(0) === FILTER) broken = true
        first ??= id
      } else if (type === ABORT_REQUEST) this.aborted.add(id)
      else if (id === 0 && type === GET_VALUES) this.getValues++
      else if (id === 0 && (type === 0 || type > UNKNOWN_TYPE)) this.unknownTypes++
      // Body bytes after the end of STDIN. A server may accept them, because mod_fcgid can send an empty STDIN record before the body.
      else if (id === first && type === STDIN && content.length > 0 && ended.has(STDIN))
        this.complete = undefined
      else if (id === first && content.length === 0) {
        if (type === PARAMS || (type === STDIN && ended.has(PARAMS))) ended.add(type)
        if (ended.size === 2 && !broken) this.complete = id
      }
    }
    // After invalid bytes or half a record, the server may abort every request.
    if (rest.length > 0) this.complete = undefined
  }
}

class Responses {
  #sent
  /** Requests with output and no END_REQUEST, by id: the first bytes of STDOUT, and whether STDOUT has ended. */
  #open = new Map()
  /** @type {Map<number, number>} */
  #ends = new Map()
  #values = 0
  #unknown = 0

  /** @param {SentRequests} sentRequests */
  constructor(sentRequests) {
    this.#sent = sentRequests
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
    if (this.#values > this.#sent.getValues) fail('a GET_VALUES_RESULT without a request')
    if (this.#unknown > this.#sent.unknownTypes) fail('an UNKNOWN_TYPE without a request')
  }

  #addOutput(type, id, content) {
    const ends = this.#ends.get(id) ?? 0
    if (ends >= (this.#sent.begins.get(id) ?? 0))
      fail(`a record of type ${type} for ${id}, which has not begun`)
    const response = this.#open.get(id) ?? { head: '', ended: false }
    this.#open.set(id, response)
    if (type === STDOUT) {
      if (response.ended) fail(`STDOUT of ${id} after its end`)
      if (content.length === 0) response.ended = true
      else if (response.head === '') response.head = content.toString('latin1', 0, 9)
    } else if (type === END_REQUEST) {
      if (content.length !== 8) fail(`an END_REQUEST of ${content.length} bytes`)
      this.#open.delete(id)
      this.#ends.set(id, ends + 1)
      const cut = this.#sent.aborted.has(id) || content.readUInt32BE(0) !== 0
      if (!cut && !response.ended) fail(`END_REQUEST of ${id} without the end of its STDOUT`)
      if (response.ended && !/^(?:Status: |Location:)/i.test(response.head))
        fail(`a response to ${id} without a head`)
    } else if (type !== STDERR) fail(`a record of type ${type}`)
  }

  /** The server has ended the connection. */
  checkEnd() {
    const { complete } = this.#sent
    if (complete !== undefined && !this.#ends.has(complete))
      fail(`no END_REQUEST of ${complete}, which was complete`)
  }
}

function fail(what) {
  throw new Error(`The server sent ${what}.`)
}
