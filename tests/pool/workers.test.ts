// The life of a pool's workers, in real processes: crashes, endless loops, limits, signals and ends.
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { type PoolStatus, sendCommand } from '@fcgi-bridge/pool'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { accepting } from '../support/fronts/ports.ts'
import { waitForExit } from '../support/fronts/processes.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { LOAD_APP } from './load.ts'
import { type PoolProgram, startPool } from './pool-program.ts'

/** Time limit for processes to end, in milliseconds. */
const EXIT_TIMEOUT = 30_000

let site: Site

siteForEachTest((each) => {
  site = each
  site.write('app.mjs', LOAD_APP)
})

describe('a worker that fails', () => {
  test('is replaced when it is killed, and the socket queues meanwhile', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
    const [pid] = await pids(pool)
    process.kill(pid!, 'SIGKILL')
    await pool.program.printed(new RegExp(`^Worker 0 \\(pid ${pid}\\) ended by SIGKILL after `, 'm'))
    // No worker runs now, and no connection is refused.
    expect(await ask(pool, '/pid')).not.toBe(String(pid))
    expect((await pool.status()).restarts).toEqual({ crash: 1 })
  })

  test('is replaced when its event loop is stuck, and its log has the stack and the request', async () => {
    const flags = ['--workers', '2', '--slow', '1s', '--stuck-timeout', '4s']
    const pool = await startPool(site, 'app.mjs', { flags })
    const stuck = ask(pool, '/spin')
    const [report] = await pool.program.printed(
      /^Worker \d \(pid \d+\): the event loop has been blocked for (.|\n)* has run for .*$/m,
    )
    expect(report).toMatch(/at fetch \(.*app\.mjs:\d+:\d+\)/)
    expect(report).toMatch(/GET \/spin from 127\.0\.0\.1 has run for/)
    // The other worker serves.
    expect(await ask(pool, '/pid')).toMatch(/^\d+$/)
    await pool.program.printed(/^Worker \d \(pid \d+\) is killed: its event loop is blocked/m)
    await expect(stuck).rejects.toThrow('closed the connection')
    await untilStatus(pool, ({ state, restarts }) => state === 'running' && restarts.stuck === 1)
  })

  test('finishes its requests after an exception, while its replacement starts', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
    const running = ask(pool, '/wait?n=1500')
    await ask(pool, '/throw')
    expect(await running).toBe('GET ')
    await pool.program.printed(/^Nothing caught this exception: .* exits with status 1\.$/m)
    await pool.program.printed(/^Worker 0 \(pid \d+\) ended with status 1 after /m)
    await untilStatus(pool, ({ state, restarts }) => state === 'running' && restarts.crash === 1)
  })

  test('the first worker fails to start: one message, and the exit status of the worker', async () => {
    site.write('broken.mjs', "throw new Error('no database')")
    const program = start('broken.mjs', '--port', '0', '--workers', '4')
    expect(await program.exited).toEqual({ code: 3, signal: null })
    expect(program.output.match(/Error: no database/g)).toHaveLength(1)
    expect(program.output).toContain('The first worker')
  })

  test('in a reload: the old workers keep running, the command fails, and the reload is not retried', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '2'] })
    const before = await pids(pool)
    site.write('app.mjs', "throw new Error('no database')")
    expect(await pool.command('reload')).toMatchObject({
      ok: false,
      error: {
        code: 'FCGI_ERR_POOL_RELOAD',
        message: expect.stringContaining('the old workers keep running'),
      },
    })
    expect(await pids(pool)).toEqual(before)
    // The working code is back.
    site.write('app.mjs', LOAD_APP)
    expect(await pool.command('reload')).toEqual({ ok: true })
    expect(before).not.toContain((await pids(pool))[0])
    expect((await pool.status()).reloads).toEqual({ succeeded: 1, failed: 1 })
  })

  test('listens elsewhere: the log says what to change', async () => {
    site.write(
      'elsewhere.mjs',
      `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
       serve(() => new Response('hello'), { port: 0 })`,
    )
    const args = ['run', 'elsewhere.mjs', '--port', '0', '--start-timeout', '3s']
    const program = site.start(process.execPath, [COMMAND_LINE, ...args], { cwd: site.folder })
    await program.printed(
      /^Worker 0 listens on 127\.0\.0\.1:\d+ itself.*Call serve\(app\) without an address/m,
    )
    expect(await program.exited).toEqual({ code: 3, signal: null })
    expect(program.output).toContain('did not listen within 3 s')
  })
})

describe('a worker is replaced, and no request fails,', () => {
  test('after --max-requests', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '2', '--max-requests', '10'] })
    const seen = new Set<string>()
    await expect
      .poll(async () => {
        seen.add(await ask(pool, '/pid'))
        return seen.size
      })
      .toBeGreaterThan(4)
    expect(pool.program.output).toMatch(/^Worker \d \(pid \d+\) is replaced: it has had \d+ requests\.$/m)
  })

  test('above --max-memory, once in a minute', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1', '--max-memory', '250m'] })
    const before = await pids(pool)
    await ask(pool, `/memory?n=${300 * 1024 * 1024}`)
    await pool.program.printed(/^Worker 0 \(pid \d+\) is replaced: it has \d+ MiB of memory\.$/m)
    expect(await pids(pool)).not.toEqual(before)
  })

  test('not above a --max-memory that an idle worker exceeds: the limit is ignored', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1', '--max-memory', '20m'] })
    await pool.program.printed(
      /^maxMemory is 20 MiB, and a worker without requests has \d+ MiB\. The limit is ignored/m,
    )
    expect((await pool.status()).restarts).toEqual({})
  })

  test('after --max-age', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1', '--max-age', '2s'] })
    await pool.program.printed(/^Worker 0 \(pid \d+\) is replaced: it was started at /m)
    expect(await ask(pool, '/pid')).toMatch(/^\d+$/)
  })

  test('when restart.txt is touched', async () => {
    site.write('package.json', '{}')
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
    const before = await pids(pool)
    mkdirSync(site.path('tmp'))
    writeFileSync(site.path('tmp', 'restart.txt'), '')
    await pool.program.printed(/^Reloaded\.$/m)
    expect(await pids(pool)).not.toEqual(before)
  })
})

describe('signals', () => {
  test.each(['SIGHUP', 'SIGUSR2'] as const)('%s reloads', async (signal) => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '2'] })
    const before = await pids(pool)
    master(pool, signal)
    await pool.program.printed(/^Reloaded\.$/m)
    const after = await pids(pool)
    expect(after).toHaveLength(2)
    expect(before.filter((pid) => after.includes(pid))).toEqual([])
  })

  test('SIGTTIN and SIGTTOU add and remove a worker, and the last one stays', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
    master(pool, 'SIGTTIN')
    await untilStatus(pool, ({ wanted, state }) => wanted === 2 && state === 'running')
    master(pool, 'SIGTTOU')
    await untilStatus(pool, ({ wanted, workers }) => wanted === 1 && workers.length === 1)
    master(pool, 'SIGTTOU')
    expect((await pool.status()).wanted).toBe(1)
  })

  test.each(['SIGTERM', 'SIGQUIT', 'SIGINT', 'SIGUSR1'] as const)(
    '%s: running requests finish, and the program exits with 0',
    async (signal) => {
      const pool = await startPool(site, 'app.mjs', { socket: 'unix', flags: ['--workers', '2'] })
      const running = ask(pool, '/wait?n=1000')
      await untilActive(pool)
      master(pool, signal)
      expect(await running).toBe('GET ')
      expect(await pool.program.exited).toEqual({ code: 0, signal: null })
      expect(existsSync(pool.address)).toBe(false)
      expect(existsSync(pool.control)).toBe(false)
    },
  )

  test('a second SIGINT kills', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
    const running = ask(pool, '/wait?n=60000')
    running.catch(() => {})
    await untilActive(pool)
    master(pool, 'SIGINT')
    await untilStatus(pool, ({ state }) => state === 'closing')
    master(pool, 'SIGINT')
    expect(await pool.program.exited).toEqual({ code: 0, signal: null })
    await expect(running).rejects.toThrow()
  })

  test('SIGTERM while the app loads: the request that waits for it gets its response', async () => {
    site.write('slow.mjs', `await new Promise((resolve) => setTimeout(resolve, 2000))\n${LOAD_APP}`)
    const path = site.path('app.sock')
    const program = start('slow.mjs', '--path', path, '--workers', '2', '--json')
    await program.printed(/"event":"start"/)
    expect(await accepting({ path }, () => !program.running)).toBe(true)
    const socket = connect({ path })
    await once(socket, 'connect')
    const response = ask({ address: path }, '/pid')
    process.kill(program.pid, 'SIGTERM')
    expect(await response).toMatch(/^\d+$/)
    socket.destroy()
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test('without their master the workers end', async () => {
    const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '2'] })
    master(pool, 'SIGKILL')
    await pool.program.exited
    expect(await waitForExit(() => site.processes(), EXIT_TIMEOUT)).toEqual([])
  })
})

describe('sockets', () => {
  test('one for each worker', async () => {
    const flags = ['--workers', '2', '--per-worker-sockets', '--no-log']
    const program = start('app.mjs', '--path', site.path('app.%i.sock'), ...flags)
    await program.printed(/^Serving .*app\.1\.sock$/m)
    const [first, second] = [0, 1].map((slot) => ({ address: site.path(`app.${slot}.sock`) }))
    const responders = [await ask(first!, '/pid'), await ask(first!, '/pid'), await ask(second!, '/pid')]
    expect(responders[0]).toBe(responders[1])
    expect(responders[0]).not.toBe(responders[2])
    await program.stop()
    expect(existsSync(first!.address)).toBe(false)
  })

  test('one for each worker, without an address: the error says which flags to add', async () => {
    const program = start('app.mjs', '--workers', '2', '--per-worker-sockets')
    expect(await program.exited).toEqual({ code: 2, signal: null })
    expect(program.output).toContain('Add --path /run/app.%i.sock, or --port 9000 for the first port.')
  })

  test.each(['SIGTERM', 'SIGKILL', 'SIGHUP to the master'] as const)(
    'from spawn-fcgi as fd 0: the workers get it as fd 3, and it stays non-blocking when workers start and end: %s',
    async (signal) => {
      const [port] = await freePorts(1)
      const args = ['-n', '-a', '127.0.0.1', '-p', String(port), '--', process.execPath, COMMAND_LINE]
      const program = site.start(required('spawn-fcgi'), [
        ...args,
        ...['serve', site.path('app.mjs'), '--workers', '2', '--json'],
      ])
      const address = `127.0.0.1:${port}`
      await eventsOf(program, 'ready', 2)
      expect(await ask({ address }, '/pid')).toMatch(/^\d+$/)
      const [first, second] = await eventsOf(program, 'start', 2)
      const isReload = signal === 'SIGHUP to the master'
      process.kill(isReload ? program.pid : first!, isReload ? 'SIGHUP' : signal)
      // Before the new worker listens, when it does, and after the old one has ended. The master has the socket as descriptor 0.
      for (const [event, count] of [
        ['start', 3],
        ['ready', 3],
        ['exit', 1],
      ] as const) {
        await eventsOf(program, event, count)
        expect([event, isNonBlocking(program.pid, 0)]).toEqual([event, true])
      }
      const pid = (await eventsOf(program, 'ready', 3)).at(-1)!
      expect(isNonBlocking(pid, 3)).toBe(true)
      if (!isReload) expect(isNonBlocking(second!, 3)).toBe(true)
      expect(await ask({ address }, '/pid')).toMatch(/^\d+$/)
    },
  )

  test('from systemd', async () => {
    const path = site.path('activated.sock')
    const args = ['--listen', path, process.execPath, COMMAND_LINE, 'serve', site.path('app.mjs')]
    const program = site.start(required('systemd-socket-activate'), [...args, '--workers', '2'])
    expect(await accepting({ path }, () => !program.running)).toBe(true)
    expect(await ask({ address: path }, '/pid')).toMatch(/^\d+$/)
  })
})

test('--detach and --log-file: the command returns when the workers serve, and all of them write to the file', async () => {
  const [path, control, log] = ['app.sock', 'app.ctl', 'app.log'].map((name) => site.path(name))
  const flags = ['--workers', '2', '--path', path!, '--control', control!, '--log-file', log!, '--detach']
  expect(await start('app.mjs', ...flags).exited).toEqual({ code: 0, signal: null })
  expect(await ask({ address: path! }, '/pid')).toMatch(/^\d+$/)
  expect(await sendCommand(control!, { command: 'stop' })).toEqual({ ok: true })
  expect(readFileSync(log!, 'utf8')).toMatch(
    /^\S+Z Serving app\.mjs with 2 workers [\s\S]*^\S+Z GET \/pid 200 /m,
  )
})

test('the master loads neither a server nor node:crypto, which would take 5 MiB', async () => {
  const preload = site.write(
    'preload.mjs',
    `import { writeFileSync } from 'node:fs'
    process.on('exit', () => writeFileSync(\`modules-\${process.pid}\`, process.moduleLoadList.join('\\n')))`,
  )
  const control = site.path('app.ctl')
  const flags = ['--workers', '1', '--path', site.path('app.sock'), '--control', control]
  const program = site.start(
    process.execPath,
    ['--import', preload, COMMAND_LINE, 'serve', 'app.mjs', ...flags],
    { cwd: site.folder },
  )
  await program.printed(/^Serving /m)
  expect(await sendCommand(control, { command: 'stop' })).toEqual({ ok: true })
  await program.exited
  const modules = readFileSync(site.path(`modules-${program.pid}`), 'utf8').split('\n')
  expect(modules).toContain('NativeModule child_process')
  for (const name of ['crypto', 'http']) expect(modules).not.toContain(`NativeModule ${name}`)
})

test("listens when the module's export ready has resolved", async () => {
  site.write(
    'ready.mjs',
    `let state = 'loading'\nexport async function ready() { state = 'ready' }\nexport default { fetch: () => new Response(state) }`,
  )
  const pool = await startPool(site, 'ready.mjs', { flags: ['--workers', '1'] })
  expect(await ask(pool, '/')).toBe('ready')
  site.write(
    'ready.mjs',
    `export const ready = Promise.reject(new Error('no database'))\nexport default { fetch: () => new Response() }`,
  )
  expect(await pool.command('reload')).toMatchObject({ ok: false })
  expect(pool.program.output).toMatch(
    /ready\.mjs is not ready: its export 'ready' failed\.\n\nError: no database/,
  )
})

test('run: a program that calls serve(app) itself, with arguments', async () => {
  site.write(
    'server.mjs',
    `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
     serve(() => new Response(JSON.stringify({ argv: process.argv.slice(2), pid: process.pid })))`,
  )
  const args = ['run', 'server.mjs', '--path', site.path('app.sock'), '--workers', '2', '--', '--config', 'a']
  const program = site.start(process.execPath, [COMMAND_LINE, ...args], { cwd: site.folder })
  await program.printed(/^Serving server\.mjs with 2 workers over FastCGI/m)
  expect(JSON.parse(await ask({ address: site.path('app.sock') }, '/'))).toMatchObject({
    argv: ['--config', 'a'],
  })
})

test('run: a module that only exports its app is an error that names the command for it', async () => {
  site.write('app.mjs', "export default { fetch: () => new Response('hello') }")
  const program = site.start(process.execPath, [COMMAND_LINE, 'run', 'app.mjs', '--port', '0'], {
    cwd: site.folder,
  })
  expect(await program.exited).toEqual({ code: 3, signal: null })
  expect(program.output).toMatch(
    /must call serve\(app\) without an address\. If it exports its app instead, run: fcgi-bridge serve app\.mjs --workers NUMBER$/m,
  )
})

test('run: WEB_CONCURRENCY is the number of workers', async () => {
  site.write(
    'server.mjs',
    `import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
     serve(() => new Response())`,
  )
  const env = { ...process.env, WEB_CONCURRENCY: '2' }
  const args = ['run', 'server.mjs', '--path', site.path('app.sock')]
  const program = site.start(process.execPath, [COMMAND_LINE, ...args], { cwd: site.folder, env })
  await program.printed(/^Serving server\.mjs with 2 workers over FastCGI/m)
})

test('goes on when nobody reads its output any more', async () => {
  const pool = await startPool(site, 'app.mjs', { flags: ['--workers', '1'] })
  for (const output of [pool.program.child.stdout, pool.program.child.stderr]) output!.destroy()
  // The master logs each reload.
  for (let count = 1; count <= 2; count++) {
    expect(await pool.command('reload')).toEqual({ ok: true })
    expect(await ask(pool, '/pid')).toMatch(/^\d+$/)
  }
  expect(await pool.program.stop()).toEqual({ code: 0, signal: null })
})

function start(...args: string[]): Program {
  return site.start(process.execPath, [COMMAND_LINE, 'serve', ...args], { cwd: site.folder })
}

async function ask({ address }: { address: string }, path: string): Promise<string> {
  const dispatcher = new FastCgiDispatcher(address, { maxIdleConnections: 0, onStderr() {} })
  const { body } = await request(`http://test${path}`, { dispatcher })
  return body.text()
}

/** Waits for `count` events of a pool that logs JSON. Returns the process ids of their workers. */
async function eventsOf(program: Program, event: string, count: number): Promise<number[]> {
  const one = `"event":"${event}".*?"pid":(\\d+)`
  await program.printed(new RegExp(`(${one}[\\s\\S]*?){${count}}`))
  return [...program.output.matchAll(new RegExp(one, 'g'))].map(([, pid]) => Number(pid))
}

/** The ready workers' process ids. */
async function pids(pool: PoolProgram): Promise<number[]> {
  const { workers } = await pool.status()
  return workers.filter(({ state }) => state === 'ready').map(({ pid }) => pid!)
}

function untilStatus(pool: PoolProgram, isSo: (status: PoolStatus) => boolean): Promise<void> {
  return expect.poll(async () => isSo(await pool.status())).toBe(true)
}

/** Waits until a heartbeat tells of a running request. */
function untilActive(pool: PoolProgram): Promise<void> {
  return untilStatus(pool, ({ workers }) => workers.some(({ active }) => active > 0))
}

function master(pool: PoolProgram, signal: NodeJS.Signals): void {
  process.kill(pool.program.pid, signal)
}

/** Whether O_NONBLOCK is set for a descriptor of a process. The flag belongs to the socket, and all that share it see it. */
function isNonBlocking(pid: number, fd: number): boolean {
  const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))![1]!
  return (Number.parseInt(flags, 8) & 0o4000) !== 0
}
