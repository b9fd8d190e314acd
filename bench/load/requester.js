import { fastCgiRequest, httpRequest } from '../lib/request.js'
import { openConnection } from './connection.js'
import { FastCgiReader } from './fastcgi-reader.js'
import { HttpReader } from './http-reader.js'

/**
 * @typedef {object} Load
 * @property {import('node:net').NetConnectOpts} address
 * @property {'fastcgi' | 'http'} protocol
 * @property {import('../lib/request.js').RequestSpec} request
 * @property {import('./expected.js').Expected} expected
 * @property {number} connections
 * @property {number} [multiplexed] Concurrent requests on each connection; default 1.
 * @property {boolean} [oneRequestEach] A new connection for each request.
 * @property {boolean} [awake] The load never sleeps while it runs, because waking it would cost the server time.
 *
 * @typedef {object} Requester A connection, and the bytes to send on it.
 * @property {import('node:net').Socket} socket
 * @property {Buffer[]} requests One for each id. They can be in progress concurrently.
 */

/**
 * Opens a connection. Responses are read and compared with the expected one.
 * @param {Load} load
 * @param {(requester: Requester, index: number) => void} onResponse `index`: which of `requests` got a response.
 * @param {(error: Error, requester: Requester) => void} onError Called for a wrong response or a broken connection.
 * @returns {Promise<Requester>}
 */
export async function openRequester(load, onResponse, onError) {
  const { address, expected, multiplexed = 1, oneRequestEach, protocol } = load
  const request = { ...load.request, oneRequestEach }
  /** @type {Requester} */
  let requester
  /** @type {Buffer[]} */
  const requests = []
  for (let id = 1; id <= multiplexed; id++) {
    requests.push(protocol === 'http' ? httpRequest(request) : fastCgiRequest(request, id))
  }
  const Reader = protocol === 'http' ? HttpReader : FastCgiReader
  const reader = new Reader(expected, (id) => onResponse(requester, id - 1), oneRequestEach)
  const push = (chunk) => reader.push(chunk)
  // Requests that follow several responses are sent in one write.
  const pushCorked = (chunk) => {
    requester.socket.cork()
    reader.push(chunk)
    requester.socket.uncork()
  }
  const socket = await openConnection(address, multiplexed === 1 ? push : pushCorked, (error) => {
    onError(error, requester)
  })
  requester = { socket, requests }
  return requester
}
