import { connect, type Socket } from 'node:net'
import {
  decodeNameValues,
  encodeNameValues,
  encodeRecord,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_MAX_CONNS,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_NULL_REQUEST_ID,
  RecordDecoder,
} from '@fcgi-bridge/core'
import { errors } from 'undici'
import { type FastCgiAddress, formatAddress, parseAddress, type SocketAddress } from '../address.ts'
import { FastCgiError } from '../error.ts'

/** What an application says that it can do (section 4.1). Undefined: it does not say. */
export interface FastCgiValues {
  /** FCGI_MAX_CONNS: connections at once. */
  readonly maxConns: number | undefined
  /** FCGI_MAX_REQS: requests at once. */
  readonly maxReqs: number | undefined
  /** FCGI_MPXS_CONNS: several requests at once on one connection. */
  readonly mpxsConns: boolean | undefined
}

/** Options of {@link getValues}. */
export interface GetValuesOptions {
  /** Time for the whole, in milliseconds; 0 is no limit. Default: 2000. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/**
 * Asks an application with FCGI_GET_VALUES what it can do, on a connection of its own: a health check that costs no
 * request.
 *
 * Rejects with FastCgiError where the application closes the connection instead (`FCGI_ERR_CONNECTION_CLOSED`) or
 * sends something else, with undici's HeadersTimeoutError where it is silent, with Node's own error where
 * nobody listens, and with the signal's reason. Throws TypeError for an address that is none.
 */
export async function getValues(
  address: FastCgiAddress,
  { timeout = 2000, signal }: GetValuesOptions = {},
): Promise<FastCgiValues> {
  return askValues(parseAddress(address), timeout, signal, { keepsAlive: true })
}

/** {@link getValues}; `keepsAlive`: the process does not end before the answer is there. */
export async function askValues(
  address: SocketAddress,
  timeout: number,
  signal: AbortSignal | undefined,
  { keepsAlive }: { readonly keepsAlive: boolean },
): Promise<FastCgiValues> {
  const name = formatAddress(address)
  signal?.throwIfAborted()
  const socket = connect({ ...address, noDelay: true })
  if (!keepsAlive) socket.unref()
  const names = [FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS]
  const question = encodeNameValues(names.map((one) => [one, '']))
  socket.write(encodeRecord(FCGI_GET_VALUES, FCGI_NULL_REQUEST_ID, question))
  const timer =
    timeout > 0
      ? setTimeout(() => {
          const message = `The application at ${name} did not answer FCGI_GET_VALUES within ${timeout} ms.`
          socket.destroy(new errors.HeadersTimeoutError(message))
        }, timeout).unref()
      : undefined
  const onAbort = (): void => void socket.destroy(signal!.reason)
  signal?.addEventListener('abort', onAbort)
  try {
    return toValues(await answerOf(socket, name))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

function answerOf(socket: Socket, name: string): Promise<Map<string, string>> {
  return new Promise((resolve, reject) => {
    const decoder = new RecordDecoder({
      onStream() {
        throw notAnAnswer(name)
      },
      onDiscrete(type, requestId, chunk, start, end) {
        if (type !== FCGI_GET_VALUES_RESULT || requestId !== FCGI_NULL_REQUEST_ID) throw notAnAnswer(name)
        resolve(new Map(decodeNameValues(chunk, start, end)))
      },
    })
    socket.on('data', (chunk) => {
      try {
        decoder.push(chunk)
      } catch (error) {
        reject(error)
      }
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const message = `The application at ${name} closed the connection instead of answering FCGI_GET_VALUES.`
      reject(new FastCgiError('FCGI_ERR_CONNECTION_CLOSED', message))
    })
  })
}

function toValues(values: Map<string, string>): FastCgiValues {
  const number = (name: string): number | undefined => {
    const value = values.get(name)
    return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : undefined
  }
  const mpxsConns = values.get(FCGI_MPXS_CONNS)
  return {
    maxConns: number(FCGI_MAX_CONNS),
    maxReqs: number(FCGI_MAX_REQS),
    // Section 4.1 has '0' and '1'; whatever else it may be promises nothing.
    mpxsConns: mpxsConns === undefined ? undefined : mpxsConns === '1',
  }
}

function notAnAnswer(name: string): FastCgiError {
  return new FastCgiError(
    'FCGI_ERR_RECORD',
    `The application at ${name} sent something else than FCGI_GET_VALUES_RESULT when it was asked for its values.`,
  )
}
