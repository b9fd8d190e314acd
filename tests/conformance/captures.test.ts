// Sends each recording of tests/captures/ to a server over a socket, as the front server sent it. The handler must receive the
// request that the recording's description states, and each request must get a response.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import {
  createServer,
  type Exchange,
  type FastCgiServer,
  FCGI_BEGIN_REQUEST,
  FCGI_HEADER_LEN,
  FCGI_STDIN,
  type Input,
} from '@fcgi-bridge/core'
import { Peer } from '@fcgi-bridge/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Site } from '../support/fronts/site.ts'

const CAPTURES = new URL('../captures/', import.meta.url)

/** A request in a folder's expected.json. */
interface ExpectedRequest {
  id: number
  role: 'RESPONDER' | 'AUTHORIZER' | 'FILTER'
  flags: number
  paramsEnd?: false
  paramsSha256: string
  refused?: number
  method: string
  target: string
  url: string
  headers: [name: string, value: string][]
  contentLength?: number
  stdin: { ended: boolean; length: number; sha256?: string }
}

/** A request as the handler received it. */
interface ReceivedRequest {
  id: number
  role: string
  keepConn: boolean
  paramsSha256: string
  method: string
  target: string
  url: string
  headers: readonly string[]
  contentLength: number | undefined
  length: number
  sha256: string
}

const folders = readdirSync(CAPTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory())

let site: Site
let server: FastCgiServer
let path: string
let received: ReceivedRequest[] = []

beforeAll(async () => {
  site = new Site()
  path = site.path('app.sock')
  server = createServer({ responder: receive, authorizer: receive })
  await server.listen({ path })
})

afterAll(async () => {
  await server.close()
  await site.stop()
})

describe.each(folders.map(({ name }) => name))('%s', (folder) => {
  const described: Record<string, ExpectedRequest[]> = JSON.parse(
    readFileSync(new URL(`${folder}/expected.json`, CAPTURES), 'utf8'),
  )

  test.each(Object.keys(described))('%s', async (file) => {
    const stored = readFileSync(new URL(`${folder}/${file}`, CAPTURES))
    const bytes = file.endsWith('.gz') ? gunzipSync(stored) : stored
    const statuses = await replay(bytes)
    const requests = described[file]!
    const successful = requests.filter((request) => expectedStatus(request) === '200')
    expect(received.sort(byParams)).toEqual(
      successful.map((request) => expected(request, bytes)).sort(byParams),
    )
    expect(statuses.toSorted()).toEqual(requests.map(expectedStatus).toSorted())
  })
})

async function receive(exchange: Exchange): Promise<void> {
  const { requestId: id, keepConn, method, target, url, headers, contentLength, rawParams } = exchange
  const hash = createHash('sha256')
  for (let at = 0; at < rawParams.length; at += 2)
    hash.update(`${rawParams[at]}=${rawParams[at + 1]}\n`, 'latin1')
  const role = exchange.role.toUpperCase()
  const body = await readBody(exchange.stdin)
  const sha256 = sha256Of(body)
  const paramsSha256 = hash.digest('hex')
  const length = body.length
  received.push({
    id,
    role,
    keepConn,
    paramsSha256,
    method,
    target,
    url,
    headers,
    contentLength,
    length,
    sha256,
  })
  exchange.writeHead(200, ['content-type', 'text/plain'])
  exchange.end('received\n')
}

async function readBody(stdin: Input): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (;;) {
    for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) chunks.push(chunk)
    if (stdin.error) throw stdin.error
    if (stdin.ended) return Buffer.concat(chunks)
    await new Promise<void>((resolve) => {
      stdin.onReadable = resolve
    })
  }
}

/** Sends a recording, and returns the status of each response in the order in which they ended. */
async function replay(bytes: Buffer): Promise<(string | undefined)[]> {
  received = []
  const statuses: (string | undefined)[] = []
  const peer = await Peer.connect({ path })
  const running = new Set<number>()
  const finish = async (id: number) => {
    const { stdout } = await peer.response(id)
    statuses.push(/^Status: (\d+)/.exec(stdout)?.[1])
    running.delete(id)
    const others = peer.records.filter((record) => record.id !== id)
    peer.records.splice(0, peer.records.length, ...others)
  }
  for (const record of recordsOf(bytes)) {
    const id = record.readUInt16BE(2)
    if (record[1] === FCGI_BEGIN_REQUEST) {
      // A front server reuses an id after the response has ended.
      if (running.has(id)) await finish(id)
      running.add(id)
    }
    peer.write(record)
  }
  for (const id of [...running]) await finish(id)
  peer.destroy()
  return statuses
}

function* recordsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + FCGI_HEADER_LEN + bytes.readUInt16BE(at + 4) + bytes[at + 6]!
    yield bytes.subarray(at, end)
    at = end
  }
}

function expected(described: ExpectedRequest, bytes: Buffer): ReceivedRequest {
  const { id, role, flags, paramsSha256, method, target, url, headers, contentLength, stdin } = described
  const length = Math.min(stdin.length, contentLength ?? Number.POSITIVE_INFINITY)
  return {
    ...{ id, role, paramsSha256, method, target, url, contentLength, length },
    keepConn: flags === 1,
    headers: headers.flat(),
    // If STDIN continues after CONTENT_LENGTH, the description has the hash of all its bytes.
    sha256:
      length < stdin.length ? sha256Of(stdinOf(bytes).subarray(0, length)) : (stdin.sha256 ?? sha256Of('')),
  }
}

/** A request aborted before its params are complete ends without a response. A body that is too short is the client's fault. */
function expectedStatus({ refused, paramsEnd, contentLength, stdin }: ExpectedRequest): string | undefined {
  if (paramsEnd === false) return undefined
  if (refused !== undefined) return String(refused)
  return stdin.length < (contentLength ?? 0) ? '400' : '200'
}

function stdinOf(bytes: Buffer): Buffer {
  const records = [...recordsOf(bytes)].filter((record) => record[1] === FCGI_STDIN)
  return Buffer.concat(
    records.map((record) => record.subarray(FCGI_HEADER_LEN, FCGI_HEADER_LEN + record.readUInt16BE(4))),
  )
}

function sha256Of(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function byParams(a: ReceivedRequest, b: ReceivedRequest): number {
  return a.id - b.id || (a.paramsSha256 < b.paramsSha256 ? -1 : 1)
}
