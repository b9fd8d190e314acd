// Runs an unmodified program over FastCGI, and as its own HTTP server, and compares the responses.

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ExpectStatic, expect } from 'vitest'
import { open, readUntil, send, type TestResponse } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Origin } from '../support/fronts/front.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { accepting } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'
import { environmentOf, folderOf, nodeOf } from './prepare.js'
import type { FrameworkProgram, ServerStream } from './programs/program.js'
import type { ProgramRequest } from './requests.js'

const REGISTER = fileURLToPath(new URL('../../packages/cli/dist/bundle/register.js', import.meta.url))

/** The host in the URLs of both servers. */
const HOST = 'app.test'

/** Headers that depend on the connection and not on the program. */
const CONNECTION_HEADERS = ['connection', 'date', 'keep-alive', 'server', 'transfer-encoding']

/** A running program, as its clients see it. */
export interface Started {
  origin: Origin
  /** Undefined if the front server started it. */
  program?: Program
}

/** Starts the program as its own HTTP server. */
export async function startHttp(site: Site, tested: FrameworkProgram, port: number): Promise<Started> {
  const { env, cwd } = place(site, tested, port)
  const words = withPort(tested.http ?? tested.start, port)
  const program = site.start(nodeOf(tested.project), words, { cwd, env })
  if (!(await accepting({ host: 'localhost', port }, () => !program.running))) {
    throw new Error(`The program ended:\n${program.output}`)
  }
  return { origin: { host: 'localhost', port }, program }
}

/** Starts the program over FastCGI, on a Unix socket. */
export async function startFastCgi(
  site: Site,
  tested: FrameworkProgram,
  own: number,
): Promise<{ path: string; program: Program }> {
  const { env, cwd } = place(site, tested, own)
  const path = site.path('app.sock')
  const program = site.start(nodeOf(tested.project), fastCgiWords(tested, own), {
    cwd,
    env: { ...env, FCGI_BRIDGE_LISTEN: path },
  })
  if (!(await accepting({ path }, () => !program.running))) {
    throw new Error(`The program ended:\n${program.output}`)
  }
  // nginx may run as another user.
  chmodSync(path, 0o666)
  return { path, program }
}

/** Starts the program over FastCGI, behind nginx with kept connections. */
export async function startBehindNginx(site: Site, tested: FrameworkProgram, own: number): Promise<Started> {
  const { path, program } = await startFastCgi(site, tested, own)
  const [port] = await startNginx(
    site,
    1,
    ([port]) => `
      client_max_body_size 10m;
      upstream app { server unix:${path}; keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        location / {
          include /etc/nginx/fastcgi_params;
          fastcgi_param HTTP_HOST $http_host;
          fastcgi_pass app;
          fastcgi_keep_conn on;
          fastcgi_buffering off;
          fastcgi_buffer_size 16k;
          fastcgi_buffers 8 16k;
        }
      }`,
  )
  return { origin: { host: '127.0.0.1', port: port! }, program }
}

/** Lets Apache's mod_fcgid start the program: one process, so that requests share what it remembers. */
export async function startByApache(site: Site, tested: FrameworkProgram, own: number): Promise<Started> {
  const { variables, cwd } = place(site, tested, own)
  const set = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`)
  const command = [nodeOf(tested.project), ...fastCgiWords(tested, own)].map((word) => `'${word}'`).join(' ')
  const script = site.write('app.fcgi', `#!/bin/sh\n${set.join('\n')}\ncd '${cwd}' && exec ${command}\n`)
  chmodSync(script, 0o755)
  const { ports } = await startApache(site, {
    modules: ['fcgid'],
    server: `${fcgidDirectives(site)}\nFcgidMaxProcessesPerClass 1\nFcgidConnectTimeout 60`,
    hosts: [
      `ScriptAlias "/" "${script}/"
      <Directory "${site.folder}">
        SetHandler fcgid-script
        CGIPassAuth On
        Require all granted
      </Directory>`,
    ],
  })
  return { origin: { host: '127.0.0.1', port: ports[0]! } }
}

function fastCgiWords({ start, http }: FrameworkProgram, port: number): string[] {
  return http === undefined
    ? ['--import', REGISTER, ...withPort(start, port)]
    : [COMMAND_LINE, 'serve', ...start]
}

function withPort(words: readonly string[], port: number): string[] {
  return words.map((word) => word.replace('$PORT', String(port)))
}

let folders = 0

// The program may get a port in both cases. Only its HTTP server listens there.
function place(site: Site, { project, folder = '', env = {} }: FrameworkProgram, port: number) {
  const own = site.makeFolder(`data-${folders++}`)
  const set = Object.entries(env).map(([name, value]) => [name, value.replace('$FOLDER', own)])
  const variables: Record<string, string> = {
    NODE_ENV: 'production',
    PORT: String(port),
    ...Object.fromEntries(set),
  }
  return {
    cwd: join(folderOf(project), folder),
    variables,
    env: { ...environmentOf(project), ...variables } as Record<string, string>,
  }
}

/** Sends all requests to both, and expects the same responses. */
export async function compareResponses(
  tested: FrameworkProgram,
  fastCgi: Started,
  http: Started,
): Promise<void> {
  const clients = [new Client(tested, fastCgi.origin), new Client(tested, http.origin)] as const
  for (const request of tested.requests) {
    const [ours, theirs] = [await clients[0].send(request), await clients[1].send(request)]
    expect(ours, request.name).toEqual(theirs)
    expect(ours[0]!.status, request.name).toBe(request.status ?? 200)
  }
}

/**
 * Reads the beginning of the program's stream, disconnects, and expects that the program detects it. `expect` is that of the test's context,
 * because concurrent tests may poll with no other.
 */
export async function disconnectFromStream(
  stream: ServerStream,
  { origin }: Started,
  expect: ExpectStatic,
): Promise<void> {
  const { path, until, disconnectsPath, method = 'GET', headers = [], body } = stream
  const toSend = { method, headers: ['Host', HOST, ...headers], ...(body !== undefined && { body }) }
  const incoming = await open(origin, path, toSend)
  expect(incoming.statusCode).toBe(200)
  await readUntil(incoming, until)
  incoming.destroy()
  if (disconnectsPath === undefined) return
  const count = async (): Promise<string> =>
    (await send(origin, disconnectsPath, { headers: ['Host', HOST] })).text
  await expect.poll(count).toMatch(/[1-9]/)
}

interface Compared {
  status: number
  /** Name to line. */
  headers: Record<string, string>
  text: string
  /** The header that this request has in addition. */
  what?: string
}

class Client {
  readonly #tested: FrameworkProgram
  readonly #origin: Origin
  readonly #texts: string[] = []
  readonly #cookies = new Map<string, string>()

  constructor(tested: FrameworkProgram, origin: Origin) {
    this.#tested = tested
    this.#origin = origin
  }

  /** Sends a request, for an asset also those that a browser sends later. */
  async send(request: ProgramRequest): Promise<Compared[]> {
    const response = await this.#exchange(request)
    this.#texts.push(response.text)
    if (request.contains !== undefined) {
      expect(response.text).toContain(request.contains)
      return [this.#comparable({ ...response, text: request.contains }, request)]
    }
    if (!request.asset) return [this.#comparable(response, request)]
    const { etag, 'last-modified': modified } = response.headers
    const again = [
      ['Range', 'bytes=1-4'],
      ...(etag === undefined ? [] : [['If-None-Match', etag]]),
      ...(modified === undefined ? [] : [['If-Modified-Since', modified]]),
    ]
    const all = [this.#comparable(response, request)]
    for (const headers of again) {
      const other = await this.#exchange({ ...request, headers: [...(request.headers ?? []), ...headers] })
      all.push({ ...this.#comparable(other, request), what: headers[0]! })
    }
    return all
  }

  async #exchange(request: ProgramRequest): Promise<TestResponse> {
    const { name, path, method = 'GET', headers = [], body, requiresCookies = false } = request
    if (requiresCookies) expect(this.#cookies.size, `cookies of ${name}`).toBeGreaterThan(0)
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await send(this.#origin, typeof path === 'string' ? path : path(this.#texts), {
      method,
      headers: [
        'Host',
        HOST,
        ...(this.#tested.headers ?? []),
        ...(cookies === '' ? [] : ['Cookie', cookies]),
        ...headers,
      ],
      ...(body !== undefined && { body: typeof body === 'function' ? body(this.#texts) : body }),
    })
    for (const cookie of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!
      this.#cookies.set(name!, value!)
    }
    return response
  }

  #comparable({ status, headers, text }: TestResponse, { ignored = [] }: ProgramRequest): Compared {
    const skipped = [...CONNECTION_HEADERS, ...ignored]
    const kept = Object.entries(headers).filter(([name]) => !skipped.includes(name))
    const stable = this.#stable(text)
    const own: Record<string, string> = Object.fromEntries(
      kept.map(([name, value]) => [name, this.#stable(`${name}: ${[value].flat().join('\n')}`)]),
    )
    if (stable !== text) {
      delete own['content-length']
      delete own.etag
    }
    // Apache changes the blanks in this header.
    if (own.vary) own.vary = own.vary.replaceAll(' ', '')
    // Some servers send an empty body in chunks.
    if (headers['content-length'] === '0') delete own['content-length']
    return { status, headers: own, text: stable }
  }

  // For an HTTP server that listens on all addresses, an IPv4 client has an address of IPv6: `::ffff:127.0.0.1`.
  #stable(text: string): string {
    const changing = [/(?:::ffff:)?127\.0\.0\.1|::1\b/g, ...(this.#tested.changing ?? [])]
    return changing.reduce((rest, pattern) => rest.replace(pattern, '…'), text)
  }
}
