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
import { TIMER_MAX } from './timer.ts'

/** The values that an application reports for FCGI_GET_VALUES (section 4.1). Undefined: the application does not report it. */
export interface FastCgiValues {
  /** FCGI_MAX_CONNS: the most concurrent connections. */
  readonly maxConns: number | undefined
  /** FCGI_MAX_REQS: the most concurrent requests. */
  readonly maxReqs: number | undefined
  /** FCGI_MPXS_CONNS: the application can multiplex a connection. */
  readonly mpxsConns: boolean | undefined
}

/** Options of {@link getValues}. */
export interface GetValuesOptions {
  /** Time for connecting and the response, in milliseconds; 0 is no limit. Default: 2000. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/**
 * Sends FCGI_GET_VALUES to an application on a new connection. Use it as a health check that runs no request.
 *
 * Rejects with FastCgiError if the application closes the connection instead (`FCGI_ERR_CONNECTION_CLOSED`) or sends another
 * record, with undici's HeadersTimeoutError if it sends nothing in time, with Node's own error if nobody listens, with the
 * signal's reason, and with TypeError for an invalid address.
 */
export async function getValues(
  address: FastCgiAddress,
  { timeout = 2000, signal }: GetValuesOptions = {},
): Promise<FastCgiValues> {
  return askValues(parseAddress(address), timeout, signal, { keepsAlive: true })
}

/** {@link getValues} for a parsed address. `keepsAlive`: the connection keeps the process alive. */
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
      ? setTimeout(
          () => {
            const message = `The application at ${name} did not respond to FCGI_GET_VALUES within ${timeout} ms.`
            socket.destroy(new errors.HeadersTimeoutError(message))
          },
          Math.min(timeout, TIMER_MAX),
        ).unref()
      : undefined
  const onAbort = (): void => void socket.destroy(signal!.reason)
  signal?.addEventListener('abort', onAbort)
  try {
    return toValues(await readValues(socket, name))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

function readValues(socket: Socket, name: string): Promise<Map<string, string>> {
  return new Promise((resolve, reject) => {
    const decoder = new RecordDecoder({
      onStream() {
        throw unexpectedRecord(name)
      },
      onDiscrete(type, requestId, chunk, start, end) {
        if (type !== FCGI_GET_VALUES_RESULT || requestId !== FCGI_NULL_REQUEST_ID)
          throw unexpectedRecord(name)
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
      const message = `The application at ${name} closed the connection instead of responding to FCGI_GET_VALUES.`
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
    // Section 4.1 allows '0' and '1'. Any other value counts as '0'.
    mpxsConns: mpxsConns === undefined ? undefined : mpxsConns === '1',
  }
}

function unexpectedRecord(name: string): FastCgiError {
  return new FastCgiError(
    'FCGI_ERR_RECORD',
    `The application at ${name} responded to FCGI_GET_VALUES with something other than FCGI_GET_VALUES_RESULT.`,
  )
}
