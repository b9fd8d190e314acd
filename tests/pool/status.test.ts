// What monitoring sees of a pool: PHP-FPM's status page over FastCGI, metrics over HTTP, ping and health.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { Peer } from '@fcgi-bridge/testing'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { type PoolProgram, startPool } from './pool-program.ts'

const PARSER = fileURLToPath(new URL('./openmetrics.py', import.meta.url))

const APP = `
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/spin') for (const end = Date.now() + Number(searchParams.get('n')); Date.now() < end;);
    if (pathname === '/wait') await later(Number(searchParams.get('n')))
    return new Response(await request.text(), { status: Number(searchParams.get('status') ?? 200) })
  },
}
`

let site: Site

siteForEachTest((each) => {
  site = each
  site.write('app.mjs', APP)
})

interface Monitored {
  pool: PoolProgram
  /** The status server's Unix socket for FastCGI. */
  socket: string
  http: string
}

async function startMonitored(...flags: string[]): Promise<Monitored> {
  const [port] = await freePorts(1)
  const socket = site.path('status.sock')
  const http = `127.0.0.1:${port}`
  const status = ['--status', socket, '--status-http', http]
  const pool = await startPool(site, 'app.mjs', { flags: [...status, ...flags] })
  return { pool, socket, http: `http://${http}` }
}

describe('metrics', () => {
  test('count every request of all workers, through reloads', async () => {
    const { pool, http } = await startMonitored('--workers', '2')
    for (let round = 0; round < 3; round++) {
      const asked = Array.from({ length: 20 }, (_, i) =>
        ask(pool.address, i < 15 ? '/' : '/?status=404', 'body'),
      )
      await Promise.all(asked)
      expect(await pool.command('reload')).toEqual({ ok: true })
    }
    await ask(pool.address, '/wait?n=120')
    await ask(pool.address, '/', undefined, { REQUEST_METHOD: '' })
    const total = (samples: Samples, name: string, labels = {}) => samples.sum(`fcgi_bridge_${name}`, labels)
    await expect.poll(async () => total(await metrics(http), 'request_duration_seconds_count')).toBe(62)
    const samples = await metrics(http)
    expect(total(samples, 'requests_total')).toBe(62)
    expect(total(samples, 'requests_total', { code: '2xx' })).toBe(46)
    expect(total(samples, 'requests_total', { code: '4xx' })).toBe(16)
    expect(total(samples, 'refused_total', { reason: 'params' })).toBe(1)
    expect(total(samples, 'request_body_bytes_total')).toBe(60 * 4)
    expect(total(samples, 'response_body_bytes_total')).toBeGreaterThanOrEqual(60 * 4)
    expect(total(samples, 'connections_accepted_total')).toBe(62)
    expect(total(samples, 'worker_restarts_total', { reason: 'reload' })).toBe(6)
    expect(total(samples, 'reloads_total', { result: 'succeeded' })).toBe(3)
    expect(total(samples, 'workers', { state: 'ready' })).toBe(2)
    expect(total(samples, 'request_duration_seconds_bucket', { le: '0.1' })).toBeLessThanOrEqual(61)
    expect(total(samples, 'requests_in_flight')).toBe(0)
    expect(total(samples, 'cpu_seconds_total', { worker: '0' })).toBeGreaterThan(0)
    expect(total(samples, 'event_loop_delay_seconds', { worker: '1', quantile: '0.5' })).toBeLessThan(10)
    // Labels are the workers' places, so reloads add no series.
    expect(new Set(samples.labels('worker'))).toEqual(new Set(['0', '1']))
  })

  test('have the same samples in both formats, as the client prefers', async () => {
    const { http } = await startMonitored('--workers', '1')
    const accept = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2'
    const open = await get(`${http}/metrics`, accept)
    expect(open.type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(open.text.endsWith('\n# EOF\n')).toBe(true)
    const text = await get(`${http}/metrics`)
    expect(text.type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const [openNames, textNames] = [parse(open.text, 'openmetrics'), parse(text.text, 'text')].map(
      (samples) => samples.names,
    )
    expect(textNames).toEqual(openNames)
    expect((await get(`${http}/status?openmetrics`)).type).toBe(open.type)
  })

  test('show the queue of a TCP socket', async () => {
    const { pool, http } = await startMonitored('--workers', '1')
    const spinning = ask(pool.address, '/spin?n=3000')
    await expect
      .poll(async () => {
        const waiting = ask(pool.address, '/')
        waiting.catch(() => {})
        return (await metrics(http)).sum('fcgi_bridge_listen_queue')
      })
      .toBeGreaterThan(0)
    await spinning
    await expect.poll(async () => (await metrics(http)).sum('fcgi_bridge_listen_queue')).toBe(0)
    const { text } = await get(`${http}/status?json`)
    expect(JSON.parse(text)).toMatchObject({ 'listen queue': 0, 'listen queue len': expect.any(Number) })
    expect(JSON.parse(text)['max listen queue']).toBeGreaterThan(0)
  })
})

describe("the status page with PHP-FPM's fields", () => {
  test('over FastCGI, as its exporters ask for it: without REQUEST_URI', async () => {
    const { pool, socket } = await startMonitored('--workers', '2')
    const running = ask(pool.address, '/wait?n=4000')
    await expect.poll(async () => JSON.parse(await askAsExporter(socket, 'json'))['active processes']).toBe(1)
    const status = JSON.parse(await askAsExporter(socket, 'json&full'))
    expect(status).toMatchObject({
      pool: 'app.mjs',
      'process manager': 'static',
      'accepted conn': 1,
      'idle processes': 1,
      'total processes': 2,
      'max active processes': 1,
      'max children reached': 0,
      'slow requests': 0,
      state: 'running',
    })
    const busy = status.processes.find(({ state }: { state: string }) => state === 'Running')
    expect(busy).toMatchObject({
      pid: expect.any(Number),
      requests: 1,
      'request method': 'GET',
      'request uri': '/wait?n=4000',
      script: site.path('app.mjs'),
    })
    expect(busy['request duration']).toBeGreaterThan(0)
    expect(busy['last request memory']).toBeGreaterThan(1024 * 1024)
    await running
  })

  test('behind nginx, at any location', async () => {
    const { socket } = await startMonitored('--workers', '1')
    const [port] = await startNginx(
      site,
      1,
      ([port]) => `
        server {
          listen 127.0.0.1:${port};
          location /internal/ { include /etc/nginx/fastcgi_params; fastcgi_pass unix:${socket}; }
        }`,
    )
    const origin = `http://127.0.0.1:${port}/internal`
    expect((await get(`${origin}/status?full`)).text).toMatch(
      /^pool: +app\.mjs\n[\s\S]*\nworker state: +ready\n/,
    )
    expect((await get(`${origin}/ping`)).text).toBe('pong\n')
    expect(await get(`${origin}/nothing`)).toMatchObject({ status: 404 })
  })

  test('while all workers are busy', async () => {
    const { pool, http } = await startMonitored('--workers', '1')
    const spinning = ask(pool.address, '/spin?n=2500')
    expect((await get(`${http}/ping`)).text).toBe('pong\n')
    expect((await get(`${http}/health`)).status).toBe(200)
    await spinning
  })
})

test('health is 503 while the pool closes, and requests still run', async () => {
  const { pool, http } = await startMonitored('--workers', '1')
  const running = ask(pool.address, '/wait?n=2500')
  await expect.poll(async () => (await metrics(http)).sum('fcgi_bridge_requests_in_flight')).toBe(1)
  process.kill(pool.program.pid, 'SIGTERM')
  await expect.poll(async () => (await get(`${http}/health`)).status).toBe(503)
  await running
  expect(await pool.program.exited).toEqual({ code: 0, signal: null })
})

test('the status address is in use: the program says so and ends', async () => {
  const { http } = await startMonitored('--workers', '1')
  const at = http.slice('http://'.length)
  site.write('other.mjs', APP)
  const args = ['serve', 'other.mjs', '--port', '0', '--workers', '1', '--status-http', at]
  const second = site.start(process.execPath, [COMMAND_LINE, ...args], { cwd: site.folder })
  expect(await second.exited).toEqual({ code: 4, signal: null })
  expect(second.output).toMatch(/EADDRINUSE: cannot listen on 127\.0\.0\.1:\d+: it is in use\./)
})

async function get(url: string, accept?: string): Promise<{ status: number; type: string; text: string }> {
  const { statusCode, headers, body } = await request(url, { ...(accept && { headers: { accept } }) })
  return { status: statusCode, type: String(headers['content-type']), text: await body.text() }
}

async function ask(
  address: string,
  path: string,
  body?: string,
  params: Record<string, string> = {},
): Promise<string> {
  const dispatcher = new FastCgiDispatcher(address, { maxIdleConnections: 0, params, onStderr() {} })
  const response = await request(`http://test${path}`, {
    dispatcher,
    method: body ? 'POST' : 'GET',
    body: body ?? null,
  })
  return response.body.text()
}

/** Sends the params that exporters of PHP-FPM's status send, and returns the body. */
async function askAsExporter(path: string, query: string): Promise<string> {
  const peer = await Peer.connect({ path })
  const names = {
    SCRIPT_NAME: '/status',
    SCRIPT_FILENAME: '/status',
    QUERY_STRING: query,
    REQUEST_METHOD: 'GET',
  }
  peer.begin(1).params(1, names).stdin(1, '')
  const { stdout } = await peer.response(1)
  peer.socket.destroy()
  return stdout.slice(stdout.indexOf('\r\n\r\n'))
}

class Samples {
  readonly #samples: [name: string, labels: Record<string, string>, value: number][]

  constructor(json: string) {
    this.#samples = JSON.parse(json)
  }

  get names(): string[] {
    return this.#samples.map(([name]) => name).sort()
  }

  labels(label: string): string[] {
    return this.#samples.flatMap(([, labels]) => labels[label] ?? [])
  }

  sum(name: string, wanted: Record<string, string> = {}): number {
    return this.#samples
      .filter(
        ([other, labels]) =>
          other === name && Object.entries(wanted).every(([key, value]) => labels[key] === value),
      )
      .reduce((sum, [, , value]) => sum + value, 0)
  }
}

/** Parses metrics with a strict parser, which throws if they are wrong. */
function parse(text: string, format: 'openmetrics' | 'text'): Samples {
  const { stdout, stderr } = spawnSync(required('/usr/bin/python3'), [PARSER, format], {
    input: text,
    encoding: 'utf8',
  })
  if (stdout === '') throw new Error(`${stderr}\n${text}`)
  return new Samples(stdout)
}

async function metrics(http: string): Promise<Samples> {
  return parse((await get(`${http}/status?openmetrics`)).text, 'openmetrics')
}
