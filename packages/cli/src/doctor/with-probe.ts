import type { SocketAddress } from '@fcgi-bridge/client'
import { type Examination, PLAIN, POST, ProbeClient, type ProbeResult } from './examination.ts'
import { examineFront } from './examine-front.ts'
import type { Finding, ServerKind } from './finding.ts'
import { missingVariables } from './front-checks/variables.ts'
import { explainFrontErrors, type FrontClient } from './front-client.ts'
import type { ListeningProbe, RefusedRequest } from './listening-probe.ts'
import { appNotReached, headersLost, isGatewayError, notPassedOn, refused, wrongToken } from './not-probed.ts'
import { REFUSAL } from './probe.ts'
import { type Report, reportOf } from './report.ts'
import { kindOf } from './server-kind.ts'

const AUTHORIZATION = 'Bearer fcgi-bridge-doctor'

/**
 * Examines a front server that forwards requests to the probe. `probe` is the probe in this process. Undefined: the front server has
 * started the probe, with `token`.
 */
export async function examineWithProbe(
  url: URL,
  front: FrontClient,
  { app, upload, header }: { app?: SocketAddress; upload: number; header: readonly string[] },
  token: string,
  probe?: ListeningProbe,
): Promise<Report> {
  const prefix = url.pathname.replace(/\/+$/, '')
  const client = new ProbeClient(front, prefix, token)
  const send: Examination['send'] = (request) => explainFrontErrors(front, () => client.send(request))
  // The user passes an Authorization header if the front server requires a login.
  const own = header.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization')
  const authorization = own < 0 ? AUTHORIZATION : header[own + 1]!
  const more = own < 0 ? ['Authorization', authorization] : []
  const plain = await send({ ...PLAIN, headers: [...PLAIN.headers!, ...more] })
  const software = plain.params.get('SERVER_SOFTWARE') ?? plain.response.software
  const server = kindOf(software, probe !== undefined || isProxied(plain))
  if (plain.echo === undefined) return reportOf(url, software, whyNotProbed(url, plain, server, app, probe))
  const form = await send(POST)
  const examination = { url, prefix, server, plain, authorization, form, upload, send }
  const { findings, passed } = await examineFront(examination)
  return { ...reportOf(url, software, findings), passed }
}

function isProxied({ params }: ProbeResult): boolean {
  return params.get('SCRIPT_FILENAME')?.startsWith('proxy:') === true
}

function whyNotProbed(
  url: URL,
  { response }: ProbeResult,
  server: ServerKind,
  app: SocketAddress | undefined,
  probe: ListeningProbe | undefined,
): Finding[] {
  if (response.text === REFUSAL) return [probe === undefined ? wrongToken() : headersLost(server)]
  const [request] = probe?.refused ?? []
  if (request !== undefined && response.status === 400) return whyRefused(request, server)
  if (app !== undefined && isGatewayError(response.status)) return [appNotReached(url, response, server, app)]
  return [notPassedOn(url, response, server)]
}

function whyRefused({ params, why }: RefusedRequest, server: ServerKind): Finding[] {
  const missing = missingVariables(new Map(params), server)
  if (missing.length > 0) return missing
  return [refused(why)]
}
