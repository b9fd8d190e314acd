import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { serve } from '@fcgi-bridge/core'
import { EXIT } from '../exit-codes.ts'
import { Failure, Verdict } from '../failure.ts'
import { printJson } from '../terminal.ts'
import { askApp, checkApp } from './app-checks.ts'
import { FrontClient } from './front-client.ts'
import { listenAsApp } from './listening-probe.ts'
import { createProbe, createToken } from './probe.ts'
import { formatReport, isHealthy, type Report } from './report.ts'
import { examineWithProbe } from './with-probe.ts'
import { askAlone, compareWithApp } from './without-probe.ts'

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

/**
 * Serves the probe, where the one who started this process says: in place of the app that a front server starts. Throws a
 * Failure where it can not listen.
 */
export async function serveProbe(token: string): Promise<void> {
  try {
    await serve(createProbe(token))
  } catch (cause) {
    const { message } = cause as Error
    const advice = 'The probe is started by the front server, in place of the app: see --help.'
    throw new Failure(EXIT.listen, message.replace(/^Say serve\(.*$/m, advice), { cause })
  }
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
  if (token !== undefined) return examineWithProbe(url, front, flags, token)
  if (app === undefined) return askAlone(url, front)
  const ownToken = createToken()
  const probe = await listenAsApp(app, ownToken)
  if (probe === 'in use') return compareWithApp(url, front, app, flags)
  try {
    return await examineWithProbe(url, front, flags, ownToken, probe)
  } finally {
    await probe.close()
  }
}
