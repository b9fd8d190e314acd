import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { type AppResponse, checkApp, requestApp, STREAMING_AFTER } from './app-checks.ts'
import { type Finding, fix } from './finding.ts'
import { buffering } from './front-checks/events.ts'
import {
  explainFrontErrors,
  type FrontClient,
  type FrontResponse,
  ResponseTimeoutError,
} from './front-client.ts'
import { appNotReached, isGatewayError } from './not-probed.ts'
import { type Report, reportOf } from './report.ts'
import { kindOf } from './server-kind.ts'

/** Sends the same request to a front server and to the running app, and compares the responses. */
export async function compareWithApp(
  url: URL,
  front: FrontClient,
  app: SocketAddress,
  { header, timeout }: { header: readonly string[]; timeout: number },
): Promise<Report> {
  const direct = await requestApp(app, url, header, timeout)
  const begin = performance.now()
  let firstAt: number | undefined
  const onPiece = (): boolean => {
    firstAt ??= performance.now() - begin
    return direct.streams
  }
  const response = await explainFrontErrors(front, async () => {
    try {
      return await front.send({ path: url.pathname + url.search }, onPiece)
    } catch (error) {
      // If the front server buffers a response that never ends, not even the headers arrive.
      if (direct.streams && error instanceof ResponseTimeoutError) return undefined
      throw error
    }
  })
  const software = (response ?? (await front.send({ method: 'HEAD', path: '/' }).catch(() => undefined)))
    ?.software
  const server = kindOf(software, true)
  const findings = await checkApp(app, url, direct)
  if (response !== undefined && response.status !== direct.status) {
    const isUnreached = isGatewayError(response.status)
    findings.push(isUnreached ? appNotReached(url, response, server, app) : differs(url, response, direct))
  } else if (
    direct.streams &&
    (firstAt ?? Number.POSITIVE_INFINITY) > direct.firstAt! + STREAMING_AFTER / 2
  ) {
    findings.push(buffering(server))
  }
  return {
    ...reportOf(url, software, findings),
    hint: `The app is running at ${formatAddress(app)}, so the doctor cannot see the requests that it receives. Stop the app and run the doctor again: it then listens there in place of the app.`,
  }
}

/** Checks whether a front server reaches its app, whose address is not known. */
export async function checkReachable(url: URL, front: FrontClient): Promise<Report> {
  // Stop at the first bytes of the body: the response may be a stream that never ends.
  const response = await explainFrontErrors(front, () =>
    front.send({ path: url.pathname + url.search }, () => true),
  )
  const findings: Finding[] = []
  if (isGatewayError(response.status)) {
    findings.push({
      code: 'unreached',
      level: 'error',
      problem: `The front server responds with ${response.status}: it does not reach the app, or the app does not respond in time.`,
      why: 'No client gets a response from the app.',
      fix: fix('Give the address on which the app should listen, and run the doctor again: --app ADDRESS'),
    })
  }
  return {
    ...reportOf(url, response.software, findings),
    hint: `The front server responds with ${response.status}. To examine the requests that it sends to the app, stop the app and run the doctor again with --app ADDRESS. If the front server starts the app itself (mod_fcgid, lighttpd's bin-path), let it start the probe: see --probe in fcgi-bridge doctor --help.`,
  }
}

function differs({ pathname }: URL, response: FrontResponse, direct: AppResponse): Finding {
  return {
    code: 'status-differs',
    level: 'warning',
    problem: `The front server responds with ${response.status} to ${pathname}, and the app responds with ${direct.status}.`,
    why: 'The front server responds in place of the app, or sends it a different request.',
    fix: fix('Stop the app and run the doctor again, to examine the requests that the front server sends.'),
  }
}
