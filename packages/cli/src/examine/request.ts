import { createReadStream, createWriteStream, openSync, statSync, type WriteStream } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { type ExchangeHead, FastCgiDispatcher, type SocketAddress } from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Failure, Verdict } from '../failure.ts'
import { pairs } from '../pairs.ts'
import type { RequestFlags } from '../request-flags.ts'
import { printJson } from '../terminal.ts'
import { explainFailure } from './app-failure.ts'
import { WireLog } from './wire-log.ts'

/** The values of the flags of `fcgi-bridge request`. */
export interface RequestCommandFlags extends RequestFlags {
  method?: string
  /** Text, `@file`, or `@-` for standard input. */
  body?: string
  mount: string
  include?: boolean
  stderr?: boolean
  output?: string
  verbose?: boolean
  fail?: boolean
  json?: boolean
}

/** The target of a request: the origin that the app sees, and the path and query. */
export interface RequestTarget {
  origin: string
  path: string
}

/**
 * Sends one request to an app, and prints the response as it arrives. Throws a Failure if there is no response, or if it is cut off.
 */
export async function sendRequest(
  address: SocketAddress,
  { origin, path }: RequestTarget,
  flags: RequestCommandFlags,
): Promise<void> {
  const { method, header, timeout, params, mount } = flags
  const stderr: Buffer[] = []
  const log = new WireLog(flags.verbose === true && flags.json !== true)
  const dispatcher = new FastCgiDispatcher(address, {
    maxIdleConnections: 0,
    scriptName: mount,
    params,
    connectTimeout: timeout,
    headersTimeout: timeout,
    bodyTimeout: 0,
    observer: log,
    onStderr(chunk) {
      if (flags.stderr && !flags.json) process.stderr.write(chunk)
      else stderr.push(chunk)
    },
  })
  const { body, length } = openBody(flags.body)
  const destination = openOutput(flags.output)
  try {
    const response = await dispatcher.request({
      origin,
      path,
      method: (method ?? (body === null ? 'GET' : 'POST')) as 'GET',
      headers: length === undefined ? header : [...header, 'Content-Length', String(length)],
      body,
    })
    if (flags.json) await printAsJson(response.body, log, stderr, flags)
    else await copyResponse(response.body, log.head!, destination, flags)
    if (!flags.json && !flags.stderr && stderr.length > 0 && response.statusCode >= 500) {
      process.stderr.write('fcgi-bridge: The app wrote to FCGI_STDERR. Use --stderr to see it.\n')
    }
    if (flags.fail && response.statusCode >= 400) throw new Verdict(EXIT.badResponse)
  } catch (error) {
    throw explainFailure(error, address, log.head !== undefined)
  } finally {
    // The app may have responded without reading the request body. Do not cut it off: wait until it ends the request.
    await dispatcher.close()
  }
}

async function copyResponse(
  body: Readable,
  head: ExchangeHead,
  destination: WriteStream | undefined,
  { include }: RequestCommandFlags,
): Promise<void> {
  const output = destination ?? process.stdout
  if (include) output.write(Buffer.from(formatHead(head), 'latin1'))
  await pipeline(body, output, { end: destination !== undefined })
}

async function printAsJson(
  body: Readable,
  log: WireLog,
  stderr: readonly Buffer[],
  { verbose }: RequestCommandFlags,
): Promise<void> {
  const bytes = await buffer(body)
  await log.ended
  const { status, headers } = log.head!
  const text = bytes.toString('utf8')
  printJson({
    status,
    headers: pairs(headers),
    ...(Buffer.from(text, 'utf8').equals(bytes) ? { body: text } : { bodyBase64: bytes.toString('base64') }),
    stderr: Buffer.concat(stderr).toString('utf8'),
    appStatus: log.end?.appStatus ?? null,
    milliseconds: Math.round((log.end?.time ?? 0) * 10) / 10,
    ...(verbose && { params: log.params, records: log.records }),
  })
}

// The response head in the form of CGI, with a Status header.
function formatHead({ status, headers }: ExchangeHead): string {
  const lines = pairs(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `Status: ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd().concat('\r\n', ...lines, '\r\n')
}

function openBody(text: string | undefined): { body: Readable | string | null; length?: number } {
  if (text === undefined) return { body: null }
  if (!text.startsWith('@')) return { body: text }
  // The length of standard input is not known before its end.
  if (text === '@-') return { body: process.stdin }
  const file = text.slice(1)
  const length = tryFile(file, 'read', () => {
    const stats = statSync(file)
    if (stats.isDirectory()) throw new Error('it is a folder. Give a file.')
    return stats.isFile() ? stats.size : undefined
  })
  const fd = tryFile(file, 'read', () => openSync(file, 'r'))
  return { body: createReadStream(file, { fd }), ...(length !== undefined && { length }) }
}

function openOutput(file: string | undefined): WriteStream | undefined {
  if (file === undefined) return undefined
  return createWriteStream(file, { fd: tryFile(file, 'write', () => openSync(file, 'w')) })
}

function tryFile<T>(file: string, action: 'read' | 'write', call: () => T): T {
  try {
    return call()
  } catch (cause) {
    throw new Failure(EXIT.usage, `Cannot ${action} ${file}: ${(cause as Error).message}`, { cause })
  }
}
