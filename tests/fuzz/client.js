import { once } from 'node:events'
import { connect } from 'node:net'
import { MAX_REQUESTS } from './limits.js'
import { checkResponses } from './responses.js'
import { BEGIN_REQUEST, END_REQUEST, PARAMS, readRecords, record, STDIN, STDOUT } from './wire.js'

// Milliseconds after which a server that has not ended a connection counts as stuck. Long enough for a busy machine.
const STUCK_AFTER = 30_000

/** @param {string | import('node:net').AddressInfo} address */
function open(address) {
  const at = typeof address === 'string' ? { path: address } : { port: address.port, host: address.address }
  const socket = connect({ ...at, allowHalfOpen: true, noDelay: true })
  socket.on('error', () => {})
  return socket
}

/**
 * Sends a session on a new connection, and checks the output. Rejects if the output is wrong, or if the server does not end the
 * connection after the peer has ended it.
 * @param {string | import('node:net').AddressInfo} address
 * @param {import('./session.js').Session} session
 */
export async function send(address, { records, writes, ending }) {
  const socket = open(address)
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  let ended = false
  socket.on('end', () => {
    ended = true
    socket.end()
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  await Promise.race([once(socket, 'connect').catch(() => {}), closed])
  const isTcp = socket.remoteAddress !== undefined

  let at = 0
  for (const count of writes) {
    socket.write(Buffer.concat(records.slice(at, at + count)))
    at += count
    if (at < records.length) await new Promise(setImmediate)
  }
  if (ending === 'end') socket.end()
  else if (ending === 'leave') {
    socket.once('data', () => socket.destroy())
    socket.end()
  } else if (isTcp) socket.resetAndDestroy()
  else socket.destroy()

  const stuck = setTimeout(() => socket.destroy(new Error('stuck')), STUCK_AFTER)
  await closed
  clearTimeout(stuck)
  if (socket.errored?.message === 'stuck')
    throw new Error('The server did not end a connection that its peer had ended.')
  const received = Buffer.concat(chunks)
  checkResponses(Buffer.concat(records), received, { whole: ending === 'end' && ended, isTcp })
}

const BODY = Buffer.alloc(3000, 'body ')

/** Sends valid requests on a separate keep-alive connection. */
export class Neighbour {
  #socket
  /** @type {Buffer} */
  #received = Buffer.alloc(0)
  #change = () => {}
  #count = 0

  /** @param {string | import('node:net').AddressInfo} address */
  constructor(address) {
    this.#socket = open(address)
    this.#socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#change()
    })
    this.#socket.on('close', () => this.#change())
  }

  /** Sends a request, and rejects unless its response is complete. */
  async ask() {
    const id = (this.#count++ % 3) + 1
    const uri = `/neighbour/${this.#count}`
    this.#received = Buffer.alloc(0)
    this.#socket.write(
      Buffer.concat([
        record(BEGIN_REQUEST, id, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])),
        record(
          PARAMS,
          id,
          pairs({ REQUEST_METHOD: 'POST', REQUEST_URI: uri, CONTENT_LENGTH: `${BODY.length}` }),
        ),
        record(PARAMS, id),
        record(STDIN, id, BODY),
        record(STDIN, id),
      ]),
    )
    const stuck = setTimeout(() => this.#socket.destroy(), STUCK_AFTER)
    try {
      await this.#check(id, `${uri} ${BODY}`)
    } finally {
      clearTimeout(stuck)
    }
  }

  close() {
    this.#socket.destroy()
  }

  async #check(id, expected) {
    for (;;) {
      const { records, rest } = readRecords(this.#received)
      if (records.at(-1)?.type === END_REQUEST) {
        const text = Buffer.concat(
          records.filter(({ type }) => type === STDOUT).map(({ content }) => content),
        ).toString()
        const foreign = records.some((one) => one.id !== id)
        if (
          !foreign &&
          rest.length === 0 &&
          text.startsWith('Status: 200 ') &&
          text.endsWith(`\r\n\r\n${expected}`)
        )
          return
        throw new Error(`A valid concurrent request got the response ${JSON.stringify(text.slice(0, 300))}.`)
      }
      if (this.#socket.closed) throw new Error('A valid concurrent request got no response.')
      await /** @type {Promise<void>} */ (
        new Promise((resolve) => {
          this.#change = resolve
        })
      )
    }
  }
}

/** @param {Record<string, string>} list Names and values below 128 bytes. */
function pairs(list) {
  return Object.entries(list)
    .map(([name, value]) => String.fromCharCode(name.length, value.length) + name + value)
    .join('')
}

/**
 * Rejects unless the server accepts exactly as many concurrent requests as its limit. So each ended request was released once.
 * @param {string | import('node:net').AddressInfo} address
 */
export async function checkRoom(address) {
  const socket = open(address)
  const chunks = []
  socket.on('data', (chunk) => chunks.push(chunk))
  for (let id = 1; id <= MAX_REQUESTS + 1; id++) {
    socket.write(record(BEGIN_REQUEST, id, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])))
  }
  socket.end()
  await new Promise((resolve) => socket.on('close', resolve))
  const { records } = readRecords(Buffer.concat(chunks))
  const refused = records.filter(({ type }) => type === END_REQUEST).map(({ id }) => id)
  if (refused.length === 1 && refused[0] === MAX_REQUESTS + 1) return
  throw new Error(
    `${refused.length - 1} of ${MAX_REQUESTS} concurrent requests still count although they have ended.`,
  )
}
