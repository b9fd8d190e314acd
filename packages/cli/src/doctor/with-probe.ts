import type { SocketAddress } from '@fcgi-bridge/client'
import { missingVariables } from './checks/variables.ts'
import { Asker, type Examination, PLAIN, POST, type Seen } from './examination.ts'
import { examineFront } from './examine-front.ts'
import type { Finding, ServerKind } from './finding.ts'
import { type FrontClient, reach } from './front-client.ts'
import type { ListeningProbe, RefusedRequest } from './listening-probe.ts'
import { REFUSAL } from './probe.ts'
import { headersLost, isGatewayError, notPassedOn, refused, unreached, wrongToken } from './reach.ts'
import { type Report, reportOf } from './report.ts'
import { kindOf } from './server-kind.ts'

const AUTHORIZATION = 'Bearer fcgi-bridge-doctor'

/** Examines a front server that has the probe behind it: `probe` where it is this process, else one that was started with `token`. */
export async function examineWithProbe(
  url: URL,
  front: FrontClient,
  { app, upload, header }: { app?: SocketAddress; upload: number; header: readonly string[] },
  token: string,
  probe?: ListeningProbe,
): Promise<Report> {
  const prefix = url.pathname.replace(/\/+$/, '')
  const asker = new Asker(front, prefix, token)
  const ask: Examination['ask'] = (one) => reach(front, () => asker.ask(one))
  // A site may ask for a login.
  const own = header.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization')
  const authorization = own < 0 ? AUTHORIZATION : header[own + 1]!
  const more = own < 0 ? ['Authorization', authorization] : []
  const plain = await ask({ ...PLAIN, headers: [...PLAIN.headers!, ...more] })
  const software = plain.params.get('SERVER_SOFTWARE') ?? plain.answer.software
  const server = kindOf(software, probe !== undefined || isProxied(plain))
  if (plain.echo === undefined) return reportOf(url, software, whyNotProbed(url, plain, server, app, probe))
  const form = await ask(POST)
  const examination = { url, prefix, server, plain, authorization, form, upload, ask }
  const { findings, passed } = await examineFront(examination)
  return { ...reportOf(url, software, findings), passed }
}

function isProxied({ params }: Seen): boolean {
  return params.get('SCRIPT_FILENAME')?.startsWith('proxy:') === true
}

function whyNotProbed(
  url: URL,
  { answer }: Seen,
  server: ServerKind,
  app: SocketAddress | undefined,
  probe: ListeningProbe | undefined,
): Finding[] {
  if (answer.text === REFUSAL) return [probe === undefined ? wrongToken() : headersLost(server)]
  const [request] = probe?.refused ?? []
  if (request !== undefined && answer.status === 400) return whyRefused(request, server)
  if (app !== undefined && isGatewayError(answer.status)) return [unreached(url, answer, server, app)]
  return [notPassedOn(url, answer)]
}

function whyRefused({ params, why }: RefusedRequest, server: ServerKind): Finding[] {
  const missing = missingVariables(new Map(params), server)
  if (missing.length > 0) return missing
  return [refused(why)]
}
