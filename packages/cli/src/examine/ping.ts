import {
  FastCgiDispatcher,
  type FastCgiValues,
  formatAddress,
  getValues,
  type SocketAddress,
} from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Verdict } from '../failure.ts'
import type { RequestFlags } from '../request-flags.ts'
import { painter, printJson } from '../terminal.ts'
import { explainFailure } from './app-failure.ts'

/** The values of the flags of `fcgi-bridge ping`. */
export interface PingFlags extends RequestFlags {
  /** The path and query to request. Default: `/`. */
  path?: string
  /** Send a request after FCGI_GET_VALUES. */
  request: boolean
  json?: boolean
}

interface PingResult {
  address: string
  /** Null: the app does not respond to FCGI_GET_VALUES. */
  values: FastCgiValues | null
  request?: { path: string; status: number; milliseconds: number }
}

// Milliseconds. An app that does not support FCGI_GET_VALUES sends nothing.
const GET_VALUES_TIMEOUT = 1000

/**
 * Sends FCGI_GET_VALUES and a request to an app, and prints the responses. Throws a Failure if there is no response, and a Verdict
 * if its status is an error.
 */
export async function ping(address: SocketAddress, flags: PingFlags): Promise<void> {
  const result: PingResult = { address: formatAddress(address), values: await valuesOf(address, flags) }
  if (flags.request) result.request = await sendRequest(address, flags)
  if (flags.json) printJson(result)
  else print(result)
  if (!isHealthy(result, flags)) throw new Verdict(EXIT.badResponse)
}

async function valuesOf(
  address: SocketAddress,
  { request, timeout }: PingFlags,
): Promise<FastCgiValues | null> {
  const limit = request ? Math.min(timeout || GET_VALUES_TIMEOUT, GET_VALUES_TIMEOUT) : timeout
  try {
    return await getValues(address, { timeout: limit })
  } catch (error) {
    const { code } = error as { code?: string }
    // Some apps do not support FCGI_GET_VALUES. The request then shows whether the app works.
    const isSilent =
      code === 'FCGI_ERR_CONNECTION_CLOSED' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'ECONNRESET'
    if (isSilent && request) return null
    throw explainFailure(error, address)
  }
}

async function sendRequest(
  address: SocketAddress,
  flags: PingFlags,
): Promise<NonNullable<PingResult['request']>> {
  const { path = '/', header, params, timeout } = flags
  const dispatcher = new FastCgiDispatcher(address, {
    maxIdleConnections: 0,
    params,
    connectTimeout: timeout,
    headersTimeout: timeout,
    bodyTimeout: timeout,
  })
  const begin = performance.now()
  try {
    const { statusCode, body } = await dispatcher.request({
      origin: 'http://localhost',
      path,
      method: 'GET',
      headers: header,
    })
    const milliseconds = Math.round((performance.now() - begin) * 10) / 10
    // Do not wait for the end of the body: the response may be a stream that never ends.
    body.on('error', () => {}).destroy()
    return { path, status: statusCode, milliseconds }
  } catch (error) {
    throw explainFailure(error, address)
  } finally {
    await dispatcher.destroy()
  }
}

function print({ address, values, request }: PingResult): void {
  const paint = painter(process.stdout)
  console.log(`${paint('bold', address)} speaks FastCGI.`)
  console.log(`values   ${values === null ? 'no response to FCGI_GET_VALUES' : listOf(values)}`)
  if (request === undefined) return
  const { path, status, milliseconds } = request
  const color = status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green'
  console.log(`request  GET ${path} ${paint(color, String(status))} ${milliseconds} ms`)
}

function listOf({ maxConns, maxReqs, mpxsConns }: FastCgiValues): string {
  const given = [
    maxConns !== undefined && `FCGI_MAX_CONNS ${maxConns}`,
    maxReqs !== undefined && `FCGI_MAX_REQS ${maxReqs}`,
    mpxsConns !== undefined && `FCGI_MPXS_CONNS ${mpxsConns ? 1 : 0}`,
  ].filter((one) => one !== false)
  return given.join(', ') || 'none'
}

// Without --path the app may have no page at `/`, so a 404 is healthy too.
function isHealthy({ request }: PingResult, { path }: PingFlags): boolean {
  return request === undefined || request.status < (path === undefined ? 500 : 400)
}
