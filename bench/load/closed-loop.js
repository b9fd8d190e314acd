// The saturating load: each connection always has a request out, and sends the next one when it is answered.

import { fastCgiRequest, httpRequest } from '../lib/request.js'
import { openConnection } from './connection.js'
import { FastCgiReader, HttpReader } from './readers.js'

/**
 * @typedef {object} Load
 * @property {import('node:net').NetConnectOpts} address
 * @property {'fastcgi' | 'http'} protocol
 * @property {import('../lib/request.js').RequestSpec} request
 * @property {import('./readers.js').Expected} expected
 * @property {number} connections
 * @property {number} [multiplexed] Requests at a time on each connection; default 1.
 * @property {boolean} [oneRequestEach] A new connection for each request, for a server that does not keep them.
 *
 * @typedef {object} Bounds It ends at whichever comes first.
 * @property {number} milliseconds
 * @property {number} [requests]
 */

/** Connections that requests can be sent on, as often as it takes. */
export class ClosedLoop {
  /** @type {Load} */
  #load
  /** @type {Set<{ socket: import('node:net').Socket, requests: Buffer[] }>} */
  #connections = new Set()
  #running = 0
  #toSend = 0
  #deadline = 0
  #answers = 0
  #onDone = () => {}
  #onError = () => {}

  /** @param {Load} load */
  static async open(load) {
    const loop = new ClosedLoop()
    loop.#load = load
    for (let count = 0; count < load.connections; count++) await loop.#connect()
    return loop
  }

  /**
   * @param {Bounds} bounds
   * @returns {Promise<{ requests: number, milliseconds: number }>} Rejects with the first wrong answer.
   */
  async run({ milliseconds, requests = Number.POSITIVE_INFINITY }) {
    const start = performance.now()
    this.#deadline = start + milliseconds
    this.#toSend = requests
    this.#answers = 0
    await new Promise((resolve, reject) => {
      this.#onDone = resolve
      this.#onError = reject
      for (const { socket, requests } of this.#connections) {
        socket.cork()
        for (const request of requests) this.#send(socket, request)
        socket.uncork()
      }
    })
    return { requests: this.#answers, milliseconds: performance.now() - start }
  }

  close() {
    const connections = [...this.#connections]
    this.#connections.clear()
    for (const { socket } of connections) socket.destroy()
  }

  async #connect() {
    const { address, expected, multiplexed = 1, oneRequestEach = false, protocol, request } = this.#load
    const requests = []
    for (let id = 1; id <= multiplexed; id++) {
      requests.push(protocol === 'http' ? httpRequest(request) : fastCgiRequest(request, id))
    }
    const onAnswer = (id) => {
      this.#answers++
      this.#running--
      if (oneRequestEach) this.#renew(connection)
      else this.#next(connection, requests[id - 1])
    }
    const reader = new (protocol === 'http' ? HttpReader : FastCgiReader)(expected, onAnswer)
    const onChunk =
      multiplexed === 1
        ? (chunk) => reader.push(chunk)
        : (chunk) => {
            connection.socket.cork()
            reader.push(chunk)
            connection.socket.uncork()
          }
    const onError = (error) => {
      if (this.#connections.has(connection)) this.#onError(error)
    }
    const connection = { socket: await openConnection(address, onChunk, onError), requests }
    this.#connections.add(connection)
    return connection
  }

  #renew(connection) {
    this.#connections.delete(connection)
    connection.socket.destroy()
    this.#connect().then((fresh) => this.#next(fresh, fresh.requests[0]), this.#onError)
  }

  // The clock is read often enough: at each answer.
  #next({ socket }, request) {
    if (this.#toSend > 0 && performance.now() < this.#deadline) this.#send(socket, request)
    else if (this.#running === 0) this.#onDone()
  }

  #send(socket, request) {
    if (this.#toSend <= 0) return
    this.#toSend--
    this.#running++
    socket.write(request)
  }
}
