import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { askApp, checkApp, type DirectAnswer, SETTLED } from './app-checks.ts'
import { buffering } from './checks/events.ts'
import { type Finding, mend } from './finding.ts'
import { type Answer, type FrontClient, NoAnswerError, reach } from './front-client.ts'
import { isGatewayError, unreached } from './reach.ts'
import { type Report, reportOf } from './report.ts'
import { kindOf } from './server-kind.ts'

/** Asks a front server and an app that runs the same, and compares. What the app is sent can not be seen. */
export async function compareWithApp(
  url: URL,
  front: FrontClient,
  app: SocketAddress,
  { header, timeout }: { header: readonly string[]; timeout: number },
): Promise<Report> {
  const direct = await askApp(app, url, header, timeout)
  const begin = performance.now()
  let firstAt: number | undefined
  const onPiece = (): boolean => {
    firstAt ??= performance.now() - begin
    return direct.streams
  }
  const answer = await reach(front, async () => {
    try {
      return await front.send({ path: url.pathname + url.search }, onPiece)
    } catch (error) {
      // Of an answer that is held back for ever not even the head comes.
      if (direct.streams && error instanceof NoAnswerError) return undefined
      throw error
    }
  })
  const software = (answer ?? (await front.send({ method: 'HEAD', path: '/' }).catch(() => undefined)))
    ?.software
  const server = kindOf(software, true)
  const findings = await checkApp(app, url, direct)
  if (answer !== undefined && answer.status !== direct.status) {
    const isUnreached = isGatewayError(answer.status)
    findings.push(isUnreached ? unreached(url, answer, server, app) : differs(url, answer, direct))
  } else if (direct.streams && (firstAt ?? Number.POSITIVE_INFINITY) > direct.firstAt! + SETTLED / 2) {
    findings.push(buffering(server))
  }
  return {
    ...reportOf(url, software, findings),
    hint: `The app runs at ${formatAddress(app)}, so what it is sent can not be seen. Stop it and ask again: the doctor then listens there in its place.`,
  }
}

/** Finds out whether a front server gets to its app, whatever that is. */
export async function askAlone(url: URL, front: FrontClient): Promise<Report> {
  // Its status is enough: it may be an answer that streams for ever.
  const answer = await reach(front, () => front.send({ path: url.pathname + url.search }, () => true))
  const findings: Finding[] = []
  if (isGatewayError(answer.status)) {
    findings.push({
      code: 'unreached',
      level: 'error',
      seen: `The front server answers ${answer.status}: it does not get to the app, or gets no answer in time.`,
      why: 'No request is answered.',
      mend: mend('Say where the app listens, or should: --app ADDRESS'),
    })
  }
  return {
    ...reportOf(url, answer.software, findings),
    hint: `It answers with ${answer.status}. To see what the app is sent, stop the app and ask again with --app ADDRESS.`,
  }
}

function differs({ pathname }: URL, answer: Answer, direct: DirectAnswer): Finding {
  return {
    code: 'status-differs',
    level: 'warning',
    seen: `The front server answers ${pathname} with ${answer.status}, and the app itself with ${direct.status}.`,
    why: 'The front server answers in place of the app, or asks it for something else.',
    mend: mend('Stop the app and ask again, to see what it is sent.'),
  }
}
