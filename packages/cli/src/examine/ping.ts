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

/** What `fcgi-bridge ping` is told. */
export interface PingFlags extends RequestFlags {
  /** Undefined: it was not said. */
  path?: string
  request: boolean
  json?: boolean
}

interface Pong {
  address: string
  /** Null: the app does not answer FCGI_GET_VALUES. */
  values: FastCgiValues | null
  request?: { path: string; status: number; milliseconds: number }
}

// How long an app that knows nothing of it may take not to answer FCGI_GET_VALUES, in milliseconds.
const VALUES_MAX = 1000

/**
 * Asks an app for its values and with a request, and prints what it says. Throws a Failure where nobody answers, and where
 * the answer is a bad one.
 */
export async function ping(address: SocketAddress, flags: PingFlags): Promise<void> {
  const pong: Pong = { address: formatAddress(address), values: await valuesOf(address, flags) }
  if (flags.request) pong.request = await ask(address, flags)
  if (flags.json) printJson(pong)
  else print(pong)
  if (!isGood(pong, flags)) throw new Verdict(EXIT.badAnswer)
}

async function valuesOf(
  address: SocketAddress,
  { request, timeout }: PingFlags,
): Promise<FastCgiValues | null> {
  const limit = request ? Math.min(timeout || VALUES_MAX, VALUES_MAX) : timeout
  try {
    return await getValues(address, { timeout: limit })
  } catch (error) {
    const { code } = error as { code?: string }
    // There are apps that know no FCGI_GET_VALUES. The request tells whether they work.
    const isSilent =
      code === 'FCGI_ERR_CONNECTION_CLOSED' || code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'ECONNRESET'
    if (isSilent && request) return null
    throw explainFailure(error, address)
  }
}

async function ask(address: SocketAddress, flags: PingFlags): Promise<NonNullable<Pong['request']>> {
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
    // A page that streams for ever is alive.
    body.on('error', () => {}).destroy()
    return { path, status: statusCode, milliseconds }
  } catch (error) {
    throw explainFailure(error, address)
  } finally {
    await dispatcher.destroy()
  }
}

function print({ address, values, request }: Pong): void {
  const paint = painter(process.stdout)
  console.log(`${paint('bold', address)} speaks FastCGI.`)
  console.log(`values   ${values === null ? 'it does not answer FCGI_GET_VALUES' : listOf(values)}`)
  if (request === undefined) return
  const { path, status, milliseconds } = request
  const color = status >= 500 ? 'red' : status >= 400 ? 'yellow' : 'green'
  console.log(`request  GET ${path} ${paint(color, String(status))} ${milliseconds} ms`)
}

function listOf({ maxConns, maxReqs, mpxsConns }: FastCgiValues): string {
  const said = [
    maxConns !== undefined && `FCGI_MAX_CONNS ${maxConns}`,
    maxReqs !== undefined && `FCGI_MAX_REQS ${maxReqs}`,
    mpxsConns !== undefined && `FCGI_MPXS_CONNS ${mpxsConns ? 1 : 0}`,
  ].filter((one) => one !== false)
  return said.join(', ') || 'none'
}

// Where nobody has said which page is there, 404 is as good an answer as any.
function isGood({ request }: Pong, { path }: PingFlags): boolean {
  return request === undefined || request.status < (path === undefined ? 500 : 400)
}
