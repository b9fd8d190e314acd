import { FastCgiDispatcher, formatAddress, getValues, type SocketAddress } from '@fcgi-bridge/client'
import { explainFailure } from '../examine/app-failure.ts'
import { shellWord } from '../shell-word.ts'
import { type Finding, fix } from './finding.ts'

/** An app's response to a request that did not go through a front server. */
export interface AppResponse {
  status: number
  /** Milliseconds to the first bytes of the body. Undefined: there were none. */
  firstAt: number | undefined
  /** The body had begun and had not ended {@link STREAMING_AFTER} milliseconds after the response headers. */
  streams: boolean
}

/** A response that has not ended after this many milliseconds counts as a streaming one. */
export const STREAMING_AFTER = 1500
// Milliseconds. An app that does not support FCGI_GET_VALUES sends nothing.
const GET_VALUES_TIMEOUT = 1000

/** Sends a GET to an app directly. Throws a Failure if nothing listens there, or if it does not speak FastCGI. */
export async function requestApp(
  address: SocketAddress,
  url: URL,
  headers: readonly string[],
  timeout: number,
): Promise<AppResponse> {
  const dispatcher = new FastCgiDispatcher(address, { maxIdleConnections: 0, headersTimeout: timeout })
  const begin = performance.now()
  try {
    const { origin, pathname, search } = url
    const response = await dispatcher.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers: headers as string[],
    })
    const { statusCode: status, body } = response
    let firstAt: number | undefined
    body
      .on('error', () => {})
      .once('data', () => {
        firstAt = performance.now() - begin
      })
    const hasEnded = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, STREAMING_AFTER, false)
      body.once('close', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
    return { status, firstAt, streams: firstAt !== undefined && !hasEnded }
  } catch (error) {
    throw explainFailure(error, address)
  } finally {
    await dispatcher.destroy()
  }
}

/** Checks an app's response to a plain GET, and whether it supports FCGI_GET_VALUES. */
export async function checkApp(
  address: SocketAddress,
  url: URL,
  { status }: AppResponse,
): Promise<Finding[]> {
  const findings: Finding[] = []
  if (status >= 500) {
    findings.push({
      code: 'app-fails',
      level: 'error',
      problem: `Without the front server, the app responds with ${status} to ${url.pathname}.`,
      why: 'The error is in the app. No change to the front server can fix it.',
      fix: fix(
        'Read the error that the app logs',
        `fcgi-bridge request ${shellWord(formatAddress(address))} ${shellWord(url.href)} --stderr`,
      ),
    })
  }
  try {
    await getValues(address, { timeout: GET_VALUES_TIMEOUT })
  } catch {
    findings.push({
      code: 'no-values',
      level: 'note',
      problem: 'The app does not respond to FCGI_GET_VALUES.',
      why: 'HAProxy with `option get-values`, and clients that multiplex requests, send it and wait for a response.',
      fix: fix('Turn these options off in the front server.'),
    })
  }
  return findings
}
