import { once } from 'node:events'
import { encodeRecord, FCGI_STDIN } from '@fcgi-bridge/core'
import { openRequester } from './requester.js'

const CHUNK = 64 * 1024

/**
 * Sends the request of `load` with a body of its `contentLength`, as fast as the server reads it. Resolves when the
 * response is complete.
 * @param {import('./requester.js').Load} load
 */
export async function upload(load) {
  const start = performance.now()
  let onResponse
  let onError
  const responded = new Promise((resolve, reject) => {
    onResponse = resolve
    onError = reject
  })
  const requester = await openRequester(load, onResponse, onError)
  const { socket } = requester
  try {
    socket.write(requester.requests[0])
    await Promise.race([responded, sendBody(socket, load)])
    await responded
  } finally {
    onError = () => {}
    socket.destroy()
  }
  return { requests: 1, milliseconds: performance.now() - start }
}

async function sendBody(socket, { protocol, request }) {
  const chunk = protocol === 'http' ? Buffer.alloc(CHUNK) : records(CHUNK)
  if (request.contentLength % CHUNK !== 0)
    throw new Error(`The length of an upload must be a multiple of ${CHUNK} bytes.`)
  for (let sent = 0; sent < request.contentLength; sent += CHUNK) {
    if (!socket.write(chunk)) await once(socket, 'drain')
  }
  if (protocol === 'fastcgi') socket.write(encodeRecord(FCGI_STDIN, 1, Buffer.alloc(0)))
}

// nginx sends bodies in records of 32 KiB.
function records(length) {
  const record = encodeRecord(FCGI_STDIN, 1, Buffer.alloc(32 * 1024))
  return Buffer.concat(Array.from({ length: length / (32 * 1024) }, () => record))
}
