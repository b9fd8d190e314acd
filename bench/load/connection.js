import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'

// All sockets of this process read into this buffer: each chunk is processed before the next one arrives.
const buffer = Buffer.alloc(256 * 1024)

const RETRY_AFTER = 5

/**
 * Opens a connection to a server on a Unix socket or a TCP port.
 * @param {import('node:net').NetConnectOpts} address
 * @param {(chunk: Buffer) => void} onChunk The chunk is valid until the call returns.
 * @param {(error: Error) => void} onError Also called with errors that `onChunk` throws, and for an unexpected end.
 * @returns {Promise<import('node:net').Socket>}
 */
export async function openConnection(address, onChunk, onError) {
  while (true) {
    try {
      return await tryToOpen(address, onChunk, onError)
    } catch (error) {
      // The backlog of a Unix socket is full, because the server has not accepted its connections yet.
      if (error.code !== 'EAGAIN') throw error
      await setTimeout(RETRY_AFTER)
    }
  }
}

function tryToOpen(address, onChunk, onError) {
  return new Promise((resolve, reject) => {
    const onread = {
      buffer,
      callback(length, from) {
        try {
          onChunk(from.subarray(0, length))
        } catch (error) {
          onError(error)
          socket.destroy()
        }
        return true
      },
    }
    const socket = connect({ ...address, noDelay: true, onread })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.removeListener('error', reject)
      socket.on('error', onError)
      resolve(socket)
    })
    socket.on('end', () => onError(new Error('The server ended the connection.')))
  })
}
