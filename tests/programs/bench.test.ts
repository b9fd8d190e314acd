// Runs the benchmark at its smallest size and checks what it measures. No test depends on a duration.

import {
  decodeNameValues,
  encodeEndRequest,
  encodeRecord,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_STDOUT,
  RecordDecoder,
} from '@fcgi-bridge/core'
import { expect, test, vi } from 'vitest'
import { core, express, helloWork } from '../../bench/cases/apps.js'
import { jsonExpected, jsonRequest } from '../../bench/cases/json.js'
import { ClientSide } from '../../bench/lib/client-side.js'
import { measureGrowth } from '../../bench/lib/growth.js'
import { measureLatency } from '../../bench/lib/latency.js'
import { compareSides, type RatioResult } from '../../bench/lib/ratio.js'
import { BROWSER_PARAMS, fastCgiRequest, httpRequest } from '../../bench/lib/request.js'
import { measureTransfer } from '../../bench/lib/transfer.js'
import { FastCgiReader } from '../../bench/load/fastcgi-reader.js'
import { HttpReader } from '../../bench/load/http-reader.js'
import { growthPlot } from '../../bench/report/growth-plot.js'
import { markdown } from '../../bench/report/markdown.js'
import { ratioPlot } from '../../bench/report/ratio-plot.js'

// Each server and load generator uses a whole core while other tests run.
vi.setConfig({ testTimeout: 180_000 })

const setting = {
  node: process.execPath,
  nodeVersion: process.version,
  nodeMajor: Number.parseInt(process.versions.node, 10),
  transport: 'unix' as const,
  pace: { launches: 1, rounds: 2, milliseconds: 40, warmUpRequests: 100, warmUpMilliseconds: 5000 },
}

// Without another checkout to compare with, each row is a RatioResult.
async function compare(...args: Parameters<typeof compareSides>): Promise<RatioResult[]> {
  return (await compareSides(...args)) as RatioResult[]
}

test('compares two servers, and the report has a row with the result', async () => {
  const rows = [{ name: 'core / node:http', side: 'side', peer: 'peer', bar: 0.9 }]
  const results = await compare({ sides: core, work: helloWork, rows }, setting)
  const [row] = results
  expect(row).toMatchObject({ type: 'ratio', name: 'core / node:http', bar: 0.9, node: process.version })
  for (const value of [row?.cpu, row?.peerCpu, row?.ratio, row?.rate, row?.peerRate]) {
    expect(value?.median).toBeGreaterThan(0)
  }
  const report = markdown({ environment, results } as never)
  expect(report).toContain('|  | ratio | quartiles | target |  | CPU | peer | req/s | peer | ratio |')
  expect(report).toContain(`| core / node:http | **${row?.ratio.median.toFixed(2)}** |`)
  expect(ratioPlot({ environment, results } as never)).toContain('>core / node:http</text>')
})

test('measures a POST to an Express app over TCP', async () => {
  const work = { request: jsonRequest, expected: jsonExpected, connections: 2 }
  const rows = [{ name: 'Express', side: 'side', peer: 'peer' }]
  const [row] = await compare({ sides: express, work, rows }, { ...setting, transport: 'tcp' })
  expect(row?.ratio.median).toBeGreaterThan(0)
})

test('compares two front servers with the same app', async () => {
  const fronts = {
    side: { ...core.side, front: 'gateway' as const },
    peer: { ...core.side, front: 'nginx' as const },
  }
  const rows = [{ name: 'the gateway / nginx', side: 'side', peer: 'peer' }]
  const [row] = await compare({ sides: fronts, work: helloWork, rows }, setting)
  for (const value of [row?.cpu, row?.peerCpu, row?.rate, row?.peerRate]) {
    expect(value?.median).toBeGreaterThan(0)
  }
})

test('compares two clients by their own CPU time', async () => {
  const work = { ...helloWork, request: jsonRequest, connections: 2 }
  const rows = [{ name: 'client', side: 'side', peer: 'peer', bar: 1 }]
  const [row] = await compare({ sides: core, work, rows, start: ClientSide.start }, setting)
  expect(row).toMatchObject({ type: 'ratio', name: 'client', bar: 1 })
  for (const value of [row?.cpu, row?.peerCpu, row?.ratio]) expect(value?.median).toBeGreaterThan(0)
})

test('measures growth with a point for each value', async () => {
  const results = await measureGrowth(
    {
      side: core.side,
      name: 'multiplexed',
      x: 'requests on a connection',
      values: [1, 4],
      isPerUnit: false,
      work: (multiplexed: number) => ({ ...helloWork, connections: 2, multiplexed }),
    },
    setting,
  )
  expect(results[0]?.points.map(({ x }) => x)).toEqual([1, 4])
  expect(growthPlot({ environment, results } as never)).toContain('>requests on a connection</text>')
})

test('measures the latency of requests with a response', async () => {
  const [row] = await measureLatency('core', core, helloWork, setting, { rounds: 1, milliseconds: 50 })
  expect(row?.side.p50).toBeGreaterThan(0)
  expect(row?.side.p99).toBeGreaterThanOrEqual(row?.side.p50 ?? 0)
})

test('measures the upload and the download of a body', async () => {
  const length = 1024 * 1024
  const name = '1 MiB'
  const upload = {
    request: {
      method: 'POST',
      path: '/upload',
      contentType: 'application/octet-stream',
      contentLength: length,
    },
    expected: { body: JSON.stringify({ length }) },
  }
  const download = { request: { path: `/download/${length}` }, expected: { length } }
  const common = { ...express, name, length, bar: 1 }
  const results = [
    ...(await measureTransfer({ ...common, direction: 'upload', work: upload }, setting)),
    ...(await measureTransfer({ ...common, direction: 'download', work: download }, setting)),
  ]
  for (const { ratio } of results) expect(ratio.median).toBeGreaterThan(0)
  expect(markdown({ environment, results } as never)).toContain('| 1 MiB |')
})

test('the request has the params of a browser’s request through nginx', () => {
  const content: Buffer[] = []
  const decoder = new RecordDecoder({
    onStream(type, _id, chunk, start, end) {
      if (type === FCGI_PARAMS) content.push(chunk.subarray(start, end))
    },
    onDiscrete() {},
  })
  decoder.push(fastCgiRequest({ path: '/shop?page=2' }))
  const params = Object.fromEntries(decodeNameValues(Buffer.concat(content)))
  expect(Object.keys(params)).toHaveLength(BROWSER_PARAMS)
  expect(BROWSER_PARAMS).toBe(27)
  expect(params).toMatchObject({
    REQUEST_URI: '/shop?page=2',
    QUERY_STRING: 'page=2',
    SERVER_PROTOCOL: 'HTTP/1.1',
  })
  const http = httpRequest({ path: '/shop?page=2' }).toString()
  expect(http).toMatch(/^GET \/shop\?page=2 HTTP\/1\.1\r\nHost: www\.example\.com\r\n/)
  for (const line of http.split('\r\n').slice(1, -2)) {
    const [name = '', value] = line.split(/: (.*)/)
    expect(params[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`]).toBe(value)
  }
})

const readers = [
  { Reader: FastCgiReader, name: 'FastCGI', bytes: fastCgiResponse, split: [1, 7, 9, 40] },
  { Reader: HttpReader, name: 'HTTP', bytes: httpResponse, split: [1, 15, 60, 90] },
  { Reader: HttpReader, name: 'chunked HTTP', bytes: chunkedResponse, split: [1, 15, 60, 90, 100] },
]

for (const { Reader, bytes, name, split } of readers) {
  test(`the ${name} reader counts responses that arrive in pieces of any size`, () => {
    const both = Buffer.concat([bytes('Hello'), bytes('Hello')])
    for (const length of [...split, both.length]) {
      let count = 0
      const reader = new Reader({ body: 'Hello' }, () => count++)
      for (let at = 0; at < both.length; at += length) reader.push(both.subarray(at, at + length))
      expect(count).toBe(2)
    }
  })

  test(`the ${name} reader throws for a wrong response, whether it is the first or a later one`, () => {
    const read = (...bodies: string[]) => {
      const reader = new Reader({ body: 'Hello' }, () => {})
      for (const body of bodies) reader.push(bytes(body))
    }
    expect(() => read('Hello', 'Hello')).not.toThrow()
    expect(() => read('Jello')).toThrow('A response has the body "Jello".')
    expect(() => read('Hello', 'Hello!')).toThrow('A response has')
    expect(() => read('Hello', '')).toThrow()
    expect(() => new Reader({ body: 'Hello' }, () => {}).push(bytes('Hello', 500))).toThrow('500')
  })
}

test.each(['5\r\nHelloX\r\n0\r\n\r\n', '\r\n', '5 \r\n', '0\r\nTrailer: 1\r\n\r\n'])(
  'the HTTP reader throws for the malformed chunks %j',
  (chunks) => {
    const [head] = chunkedResponse('').toString().split('0\r\n\r\n')
    expect(() => new HttpReader({ body: 'Hello' }, () => {}).push(Buffer.from(`${head}${chunks}`))).toThrow(
      /^A chunk/,
    )
  },
)

function fastCgiResponse(body: string, status = 200): Buffer {
  const head = `Status: ${status}\r\nContent-Type: text/plain\r\n\r\n`
  return Buffer.concat([
    encodeRecord(FCGI_STDOUT, 1, Buffer.from(head + body)),
    encodeRecord(FCGI_STDOUT, 1, Buffer.alloc(0)),
    encodeEndRequest(1, 0, FCGI_REQUEST_COMPLETE),
  ])
}

function httpResponse(body: string, status = 200): Buffer {
  const date = 'Date: Wed, 25 Nov 2026 19:48:39 GMT'
  return Buffer.from(`HTTP/1.1 ${status} OK\r\nContent-Length: ${body.length}\r\n${date}\r\n\r\n${body}`)
}

// A body of two chunks. The second chunk is one byte.
function chunkedResponse(body: string, status = 200): Buffer {
  const chunks = [body.slice(0, -1), body.slice(-1)].filter(Boolean)
  const written = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')
  const date = 'Date: Wed, 25 Nov 2026 19:48:39 GMT'
  return Buffer.from(
    `HTTP/1.1 ${status} OK\r\n${date}\r\nTransfer-Encoding: chunked\r\n\r\n${written}0\r\n\r\n`,
  )
}

const environment = {
  date: new Date(0).toISOString(),
  commit: 'none',
  cpu: 'none',
  cores: 1,
  memory: 0,
  system: 'none',
  load: 0,
  pace: setting.pace,
  versions: {},
}
