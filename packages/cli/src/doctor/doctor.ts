import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { serve } from '@fcgi-bridge/core'
import { listenFailure } from '../app/listen-failure.ts'
import { EXIT } from '../exit-codes.ts'
import { Verdict } from '../failure.ts'
import { type Output, painter, printJson } from '../terminal.ts'
import { checkApp, requestApp } from './app-checks.ts'
import type { Finding, Fix } from './finding.ts'
import { FrontClient } from './front-client.ts'
import { listenAsApp } from './listening-probe.ts'
import { createProbe, createToken } from './probe.ts'
import { formatReport, isHealthy, type Report } from './report.ts'
import { examineWithProbe } from './with-probe.ts'
import { checkReachable, compareWithApp } from './without-probe.ts'

/** The values of the flags of `fcgi-bridge doctor`. */
export interface DoctorFlags {
  app?: SocketAddress
  token?: string
  connect?: { host: string; port: number }
  /** [name, value, name, value…] */
  header: string[]
  /** The size of a request body that must reach the app, in bytes. */
  upload: number
  insecure?: boolean
  /** Milliseconds. */
  timeout: number
  json?: boolean
}

/**
 * Examines a front server by its URL, an app by its address, or both. Prints the faults and how to fix them on `stdout`. Throws a
 * Verdict if there are any, and a Failure if no server responds.
 */
export async function examine(
  subject: URL | SocketAddress,
  flags: DoctorFlags,
  stdout: Output,
): Promise<void> {
  const report = subject instanceof URL ? await ofFront(subject, flags) : await ofApp(subject, flags)
  if (flags.json) {
    const findings = report.findings.map((finding) => withFormerNames(finding))
    printJson({ healthy: isHealthy(report), ...report, findings }, stdout)
  } else stdout.write(formatReport(report, painter(stdout)))
  if (!isHealthy(report)) throw new Verdict(EXIT.badResponse)
}

// In version 0.1.0, `problem` was named `seen`, and `fix` was named `mend`. Scripts may still read these names.
function withFormerNames(finding: Finding): Finding & { seen: string; mend: Fix } {
  return { ...finding, seen: finding.problem, mend: finding.fix }
}

/**
 * Serves the probe in place of an app that a front server starts, on the socket that the front server provides. Throws a Failure
 * if there is none.
 */
export async function serveProbe(token: string): Promise<void> {
  try {
    // The program that runs the probe, such as app.fcgi with a token: the probe ends when the token is removed there.
    await serve(createProbe(token), { restartFiles: process.argv.slice(1, 2) })
  } catch (error) {
    const advice = 'Let the front server start the probe in place of the app: see fcgi-bridge doctor --help.'
    throw listenFailure(error, advice)
  }
}

async function ofApp(address: SocketAddress, { header, timeout }: DoctorFlags): Promise<Report> {
  const url = new URL('http://localhost/')
  const direct = await requestApp(address, url, header, timeout)
  return {
    of: formatAddress(address),
    software: undefined,
    findings: await checkApp(address, url, direct),
    passed: ['the app accepts connections, speaks FastCGI and responds'],
    hint: 'To examine the front server as well: fcgi-bridge doctor URL --app ADDRESS',
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
  if (app === undefined) return checkReachable(url, front)
  const ownToken = createToken()
  const probe = await listenAsApp(app, ownToken)
  if (probe === 'in use') return compareWithApp(url, front, app, flags)
  try {
    return await examineWithProbe(url, front, flags, ownToken, probe)
  } finally {
    await probe.close()
  }
}
