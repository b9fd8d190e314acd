import { FastCgiDispatcher, formatAddress, getValues, type SocketAddress } from '@fcgi-bridge/client'
import { explainFailure } from '../examine/app-failure.ts'
import { shellWord } from '../shell-word.ts'
import { type Finding, mend } from './finding.ts'

/** What an app answered when it was asked without a front server. */
export interface DirectAnswer {
  status: number
  /** Milliseconds to the first bytes of the body; undefined where there were none. */
  firstAt: number | undefined
  /** It had not ended a while after its first bytes had come. */
  streams: boolean
}

/** How long an answer may take to end, before it counts as one that streams: in milliseconds. */
export const SETTLED = 1500
// How long an app that knows nothing of it may take not to answer FCGI_GET_VALUES, in milliseconds.
const VALUES_MAX = 1000

/** Asks an app itself. Throws a Failure where nobody answers, or nothing that is FastCGI. */
export async function askApp(
  address: SocketAddress,
  url: URL,
  headers: readonly string[],
  timeout: number,
): Promise<DirectAnswer> {
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
    const isOver = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, SETTLED, false)
      body.once('close', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
    return { status, firstAt, streams: firstAt !== undefined && !isOver }
  } catch (error) {
    throw explainFailure(error, address)
  } finally {
    await dispatcher.destroy()
  }
}

/** What is wrong with an app's answer to a plain GET, and to FCGI_GET_VALUES. */
export async function checkApp(
  address: SocketAddress,
  url: URL,
  { status }: DirectAnswer,
): Promise<Finding[]> {
  const findings: Finding[] = []
  if (status >= 500) {
    findings.push({
      code: 'app-fails',
      level: 'error',
      seen: `The app itself answers ${url.pathname} with ${status}.`,
      why: 'No front server can mend that.',
      mend: mend(
        'See what it says',
        `fcgi-bridge request ${shellWord(formatAddress(address))} ${shellWord(url.href)} --stderr`,
      ),
    })
  }
  try {
    await getValues(address, { timeout: VALUES_MAX })
  } catch {
    findings.push({
      code: 'no-values',
      level: 'note',
      seen: 'The app does not answer FCGI_GET_VALUES.',
      why: 'HAProxy with `option get-values`, and clients that would multiplex, wait for it in vain.',
      mend: mend('Leave these options of the front server off.'),
    })
  }
  return findings
}
