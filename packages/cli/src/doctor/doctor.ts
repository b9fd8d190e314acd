import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { serve } from '@fcgi-bridge/core'
import { EXIT } from '../exit-codes.ts'
import { Failure, Verdict } from '../failure.ts'
import { printJson } from '../terminal.ts'
import { askApp, checkApp, type DirectAnswer, SETTLED } from './app-checks.ts'
import { buffering } from './checks/events.ts'
import { missingVariables } from './checks/variables.ts'
import { Asker, PLAIN, POST, type Seen } from './examination.ts'
import { examineFront } from './examine-front.ts'
import { type Finding, mend } from './finding.ts'
import { type Answer, FrontClient, NoAnswerError } from './front-client.ts'
import { type ListeningProbe, listenAsApp } from './listening-probe.ts'
import { createProbe, createToken } from './probe.ts'
import { headersLost, isGatewayError, notPassedOn, unreached } from './reach.ts'
import { formatReport, isHealthy, type Report } from './report.ts'
import { kindOf } from './server-kind.ts'

/** What `fcgi-bridge doctor` is told. */
export interface DoctorFlags {
  app?: SocketAddress
  token?: string
  connect?: { host: string; port: number }
  /** [name, value, name, value…] */
  header: string[]
  /** Bytes. */
  upload: number
  insecure?: boolean
  /** Milliseconds. */
  timeout: number
  json?: boolean
}

/**
 * Examines a front server by its URL, an app by its address, or both; prints what is wrong and what mends it. Throws a Verdict
 * where something is, and a Failure where nobody answers.
 */
export async function examine(subject: URL | SocketAddress, flags: DoctorFlags): Promise<void> {
  const report = subject instanceof URL ? await ofFront(subject, flags) : await ofApp(subject, flags)
  if (flags.json) printJson({ healthy: isHealthy(report), ...report })
  else process.stdout.write(formatReport(report))
  if (!isHealthy(report)) throw new Verdict(EXIT.badAnswer)
}

/** Serves the probe, where the one who started this process says: in place of the app that a front server starts. */
export async function serveProbe(token: string): Promise<void> {
  await serve(createProbe(token))
}

async function ofApp(address: SocketAddress, { header, timeout }: DoctorFlags): Promise<Report> {
  const url = new URL('http://localhost/')
  const direct = await askApp(address, url, header, timeout)
  return {
    of: formatAddress(address),
    software: undefined,
    findings: await checkApp(address, url, direct),
    passed: ['it can be reached, speaks FastCGI, and answers'],
    hint: 'To examine the front server, too: fcgi-bridge doctor URL --app ADDRESS',
  }
}

async function ofFront(url: URL, flags: DoctorFlags): Promise<Report> {
  const { app, token } = flags
  const front = new FrontClient({
    url,
    connect: flags.connect,
    headers: flags.header,
    insecure: flags.insecure === true,
    timeout: flags.timeout,
  })
  if (token !== undefined) return withProbe(url, front, flags, token)
  if (app === undefined) return alone(url, front)
  const ownToken = createToken()
  const probe = await listenAsApp(app, ownToken)
  if (probe === 'in use') return besideApp(url, front, app, flags)
  try {
    return await withProbe(url, front, flags, ownToken, probe)
  } finally {
    await probe.close()
  }
}

// The probe is behind the front server.
async function withProbe(
  url: URL,
  front: FrontClient,
  { app, upload }: DoctorFlags,
  token: string,
  probe?: ListeningProbe,
): Promise<Report> {
  const prefix = url.pathname.replace(/\/+$/, '')
  const asker = new Asker(front, prefix, token)
  const plain = await reach(url, () => asker.ask(PLAIN))
  const software = plain.params.get('SERVER_SOFTWARE') ?? plain.answer.software
  const server = kindOf(software, probe !== undefined || isProxied(plain))
  if (plain.echo === undefined) {
    const finding = probe?.refused
      .map((params) => missingVariables(params, server))
      .find((all) => all.length > 0)
    return reportOf(url, software, finding ?? [whyNoEcho(url, plain.answer, server, app, probe)])
  }
  const ask = asker.ask.bind(asker)
  const form = await ask(POST)
  const { findings, passed } = await examineFront({ url, prefix, server, plain, form, upload, ask })
  return { ...reportOf(url, software, findings), passed }
}

function whyNoEcho(
  url: URL,
  answer: Answer,
  server: ReturnType<typeof kindOf>,
  app: SocketAddress | undefined,
  probe: ListeningProbe | undefined,
): Finding {
  if (probe?.strangers) return headersLost(server)
  if (app !== undefined && isGatewayError(answer.status)) return unreached(url, answer, server, app)
  return notPassedOn(url, answer)
}

// The app runs: what it is sent can not be seen, but the answers of both can be compared.
async function besideApp(
  url: URL,
  front: FrontClient,
  app: SocketAddress,
  { header, timeout }: DoctorFlags,
): Promise<Report> {
  const direct = await askApp(app, url, header, timeout)
  const begin = performance.now()
  let firstAt: number | undefined
  const onPiece = (): boolean => {
    firstAt ??= performance.now() - begin
    return direct.streams
  }
  const answer = await reach(
    url,
    () => front.send({ path: url.pathname + url.search }, onPiece),
    direct.streams,
  )
  // An answer that is held back for ever has no head.
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

// Nothing is known of the app: only whether the front server gets to one.
async function alone(url: URL, front: FrontClient): Promise<Report> {
  const answer = await reach(url, () => front.send({ path: url.pathname + url.search }))
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

function reportOf(url: URL, software: string | undefined, findings: Finding[]): Report {
  return { of: url.href, software, findings, passed: [] }
}

function isProxied({ params }: Seen): boolean {
  return params.get('SCRIPT_FILENAME')?.startsWith('proxy:') === true
}

async function reach<T>(url: URL, ask: () => Promise<T>): Promise<T>
async function reach<T>(url: URL, ask: () => Promise<T>, mayBeSilent: boolean): Promise<T | undefined>
async function reach<T>(url: URL, ask: () => Promise<T>, mayBeSilent = false): Promise<T | undefined> {
  try {
    return await ask()
  } catch (cause) {
    if (mayBeSilent && cause instanceof NoAnswerError) return undefined
    const { code, message } = cause as NodeJS.ErrnoException
    const isCertificate = /CERT|SIGNED|ERR_TLS|UNABLE_TO/.test(code ?? '')
    const more = isCertificate ? ' Say --insecure to take any certificate.' : ''
    throw new Failure(
      EXIT.unreachable,
      `The front server at ${url.origin} can not be asked: ${message}.${more}`,
      {
        cause,
      },
    )
  }
}
