import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { FastCgiServer } from '@fcgi-bridge/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Front } from './testing/front.ts'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

interface Program {
  server: FastCgiServer
  /** Resolves with the next line of the program's output. */
  line(): Promise<string>
  /** Resolves with the exit status and the text of standard error. */
  ended: Promise<[code: number | null, stderr: string]>
  end(): void
}

// Runs `source` in a new process, with the built package. The program prints its port first.
async function run(source: string, flags: readonly string[] = []): Promise<Program> {
  const child = spawn(process.execPath, [...flags, '--input-type=module', '--eval', source], {
    cwd: PACKAGE,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const stderr = text(child.stderr)
  const ended = once(child, 'close').then(
    async ([code]): Promise<[number | null, string]> => [code, await stderr],
  )
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`The program has ended: ${(await ended)[1]}`)
    return value
  }
  const address = { address: '127.0.0.1', family: 'IPv4', port: Number(await line()) }
  return {
    server: { address: () => address } as unknown as FastCgiServer,
    line,
    ended,
    end: () => void child.kill('SIGTERM'),
  }
}

const SERVE = `
import { serve } from '@fcgi-bridge/fetch-adapter'
const start = async (fetch, options) => {
  const onError = (error, exchange) => console.log('onError', error.code ?? error.message, exchange.target)
  const server = await serve({ fetch, port: 0, host: '127.0.0.1', onError, ...options })
  console.log(server.address().port)
}
`

const OWN = `${SERVE}
await start((request) => {
  const { pathname } = new URL(request.url)
  if (pathname === '/ok') return new Response('ok')
  if (pathname === '/other') {
    Promise.reject(new Error('of the app'))
    return new Response('other')
  }
  console.log('called')
  request.signal.addEventListener('abort', () => console.log('aborted'))
  // Nobody handles this promise.
  return new Promise((resolve, reject) => {
    new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)))
  })
}, OPTIONS)
`

async function disconnect(program: Program, target: string): Promise<void> {
  const front = await Front.connect(program.server)
  front.request({ target })
  expect(await program.line()).toBe('called')
  front.destroy()
  expect(await program.line()).toBe('aborted')
}

async function ask(program: Program, target: string): Promise<string> {
  const front = await Front.connect(program.server)
  return (await front.request({ target }).response()).text
}

describe('an unhandled rejection with the reason of an abort', () => {
  test.each<[flags: string[], options: string]>([
    [[], '{}'],
    [[], '{ handleExceptions: false }'],
    [['--unhandled-rejections=strict'], '{}'],
    [['--unhandled-rejections=throw'], '{}'],
  ])('is reported, and does not end the program: %j, %s', async (flags, options) => {
    const program = await run(OWN.replace('OPTIONS', options), flags)
    for (const target of ['/one', '/two']) {
      await disconnect(program, target)
      expect(await program.line()).toBe(`onError FCGI_ERR_CONNECTION_CLOSED ${target}`)
      expect(await ask(program, '/ok')).toBe('ok')
    }
    program.end()
    expect((await program.ended)[0]).toBe(0)
  })

  test.each(['warn', 'none'])(
    'is handled by Node in the mode %s, which does not end the program',
    async (mode) => {
      const program = await run(OWN.replace('OPTIONS', '{}'), [`--unhandled-rejections=${mode}`])
      await disconnect(program, '/one')
      expect(await ask(program, '/ok')).toBe('ok')
      program.end()
      const [, stderr] = await program.ended
      expect(stderr.includes('UnhandledPromiseRejectionWarning')).toBe(mode !== 'none')
    },
  )

  test.each(['unhandledRejection', 'uncaughtException'])(
    "goes to the program's own listener for %s",
    async (event) => {
      const source = `process.on('${event}', (error) => console.log('listener', error.code))\n${OWN}`
      const program = await run(source.replace('OPTIONS', '{}'))
      await disconnect(program, '/one')
      expect(await program.line()).toBe('listener FCGI_ERR_CONNECTION_CLOSED')
      expect(await ask(program, '/ok')).toBe('ok')
    },
  )

  test('is not shown while the program ends because of an exception', async () => {
    const program = await run(OWN.replace('OPTIONS', '{ drainTimeout: 300 }'))
    const front = await Front.connect(program.server)
    front.request({ target: '/one' })
    expect(await program.line()).toBe('called')
    const other = await Front.connect(program.server)
    other.request({ target: '/other' })
    const [code, stderr] = await program.ended
    expect(code).toBe(1)
    expect(stderr).toContain('of the app')
    expect(stderr).not.toContain('FCGI_ERR')
  })
})

describe('Node handles any other unhandled rejection', () => {
  test.each(['strict', 'throw', 'warn', 'none'])('in the mode %s', async (mode) => {
    const flags = [`--unhandled-rejections=${mode}`]
    const program = await run(OWN.replace('OPTIONS', '{ handleExceptions: false }'), flags)
    const front = await Front.connect(program.server)
    front
      .request({ target: '/other' })
      .response()
      .catch(() => {})
    const isFatal = mode === 'strict' || mode === 'throw'
    if (!isFatal) {
      expect(await ask(program, '/ok')).toBe('ok')
      program.end()
    }
    const [code, stderr] = await program.ended
    const alone = await run(
      `console.log(0); Promise.reject(new Error('of the app')); setTimeout(() => process.exit(), 20)`,
      flags,
    )
    const [codeAlone, stderrAlone] = await alone.ended
    expect(code).toBe(codeAlone)
    const shown = (output: string): unknown => [
      output.includes('of the app'),
      output.includes('UnhandledPromiseRejectionWarning'),
    ]
    expect(shown(stderr)).toEqual(shown(stderrAlone))
  })
})

test('h3 2.0.1-rc.2: the client of server-sent events disconnects, and the program continues', async () => {
  const program = await run(`${SERVE}
import { createEventStream, H3 } from 'h3-rc2'
const app = new H3()
app.get('/ok', () => 'ok')
app.get('/events', (event) => {
  const events = createEventStream(event)
  events.onClosed(() => {})
  events.push('one')
  console.log('called')
  return events.send()
})
await start((request) => app.fetch(request))
`)
  for (let round = 0; round < 3; round++) {
    const front = await Front.connect(program.server)
    const request = front.request({ target: '/events' })
    await expect.poll(() => program.line()).toBe('called')
    expect(await request.chunk()).toContain('one')
    front.destroy()
    expect(await program.line()).toBe('onError FCGI_ERR_CONNECTION_CLOSED /events')
    expect(await ask(program, '/ok')).toBe('ok')
  }
  program.end()
  expect((await program.ended)[0]).toBe(0)
})
