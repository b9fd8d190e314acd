// Tests all steps from bytes to headers with recordings of real front servers. See tests/captures/README.md.

import { createHash, type Hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { FCGI_ABORT_REQUEST, FCGI_BEGIN_REQUEST, FCGI_PARAMS, FCGI_STDIN } from '../protocol/constants.ts'
import { RecordDecoder } from '../protocol/decoder.ts'
import { checkRequest } from './check-request.ts'
import { RequestError } from './error.ts'
import { Params } from './params.ts'
import { createRequest } from './request.ts'
import { RequestHead } from './request-head.ts'

const CAPTURES = new URL('../../../../tests/captures/', import.meta.url)

interface Expected {
  id: number
  role: string
  flags: number
  paramsEnd?: false
  paramsSha256: string
  refused?: number
  method: string
  target: string
  url: string
  headers: [string, string][]
  contentLength?: number
  stdin: { ended: boolean; length: number; sha256?: string }
}

interface Recorded {
  id: number
  role: string
  flags: number
  params: Buffer[]
  paramsEnd: boolean
  stdin: Hash
  stdinLength: number
  stdinEnd: boolean
  aborted: boolean
}

const ROLES = ['', 'RESPONDER', 'AUTHORIZER', 'FILTER']

function decode(bytes: Buffer, pieceLength: number): Recorded[] {
  const all: Recorded[] = []
  const byId = new Map<number, Recorded>()
  const decoder = new RecordDecoder({
    onDiscrete(type, id, chunk, start) {
      if (type === FCGI_BEGIN_REQUEST) {
        const recorded: Recorded = {
          id,
          role: ROLES[chunk.readUInt16BE(start)]!,
          flags: chunk[start + 2]!,
          params: [],
          paramsEnd: false,
          stdin: createHash('sha256'),
          stdinLength: 0,
          stdinEnd: false,
          aborted: false,
        }
        all.push(recorded)
        byId.set(id, recorded)
      } else if (type === FCGI_ABORT_REQUEST) {
        byId.get(id)!.aborted = true
      }
    },
    onStream(type, id, chunk, start, end) {
      const recorded = byId.get(id)!
      const piece = chunk.subarray(start, end)
      if (type === FCGI_PARAMS) {
        if (start === end) recorded.paramsEnd = true
        else recorded.params.push(piece)
      } else if (type === FCGI_STDIN) {
        if (start === end) recorded.stdinEnd = true
        recorded.stdin.update(piece)
        recorded.stdinLength += piece.length
      }
    },
  })
  for (let at = 0; at < bytes.length; at += pieceLength) decoder.push(bytes.subarray(at, at + pieceLength))
  return all
}

function checkOne(recorded: Recorded, expected: Expected): void {
  const { id, role, flags } = recorded
  expect({ id, role, flags }).toEqual({ id: expected.id, role: expected.role, flags: expected.flags })
  if (expected.paramsEnd === false) {
    expect(recorded.paramsEnd).toBe(false)
    expect(recorded.aborted).toBe(true)
    return
  }
  expect(recorded.paramsEnd).toBe(true)

  let head: RequestHead
  try {
    head = new RequestHead(new Params(Buffer.concat(recorded.params)))
    checkRequest(head)
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    expect((error as RequestError).status).toBe(expected.refused)
    return
  }
  expect(expected.refused).toBeUndefined()

  const list = head.params.toList()
  const hash = createHash('sha256')
  for (let i = 0; i < list.length; i += 2) hash.update(`${list[i]}=${list[i + 1]}\n`, 'latin1')
  expect(hash.digest('hex')).toBe(expected.paramsSha256)

  expect(head.method).toBe(expected.method)
  expect(head.target).toBe(expected.target)
  expect(head.url).toBe(expected.url)
  expect(head.headers).toEqual(expected.headers.flat())
  expect(head.contentLength).toBe(expected.contentLength)

  expect(recorded.stdinEnd).toBe(expected.stdin.ended)
  expect(recorded.stdinLength).toBe(expected.stdin.length)
  if (expected.stdin.sha256 !== undefined) expect(recorded.stdin.digest('hex')).toBe(expected.stdin.sha256)

  if (expected.method === 'TRACE') return
  const request = createRequest(head, () => null)
  expect(request.method).toBe(expected.method === 'get' ? 'GET' : expected.method)
  expect(request.url).toBe(new URL(expected.url).href)
  expect(new Set(request.headers.keys())).toEqual(new Set(expected.headers.map(([name]) => name)))
}

const folders = readdirSync(CAPTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory())

describe.each(folders.map(({ name }) => name))('%s', (folder) => {
  const files: Record<string, Expected[]> = JSON.parse(
    readFileSync(new URL(`${folder}/expected.json`, CAPTURES), 'utf8'),
  )

  it('has all recordings that expected.json lists, and no others', () => {
    const here = readdirSync(new URL(folder, CAPTURES)).filter((name) => name !== 'expected.json')
    expect(here.sort()).toEqual(Object.keys(files).sort())
    expect(here.length).toBeGreaterThan(1)
  })

  it.each(Object.keys(files))('%s', (file) => {
    const stored = readFileSync(new URL(`${folder}/${file}`, CAPTURES))
    const bytes = file.endsWith('.gz') ? gunzipSync(stored) : stored
    for (const pieceLength of [bytes.length, 1021]) {
      const recorded = decode(bytes, pieceLength)
      expect(recorded.length).toBe(files[file]!.length)
      for (const [i, request] of recorded.entries()) checkOne(request, files[file]![i]!)
    }
  })
})
