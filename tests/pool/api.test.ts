// The programmatic API: what `fcgi-bridge serve --workers` does, from a program.
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import {
  createPool,
  type Pool,
  PoolError,
  type PoolOptions,
  runPool,
  type WorkerEnd,
} from '@fcgi-bridge/pool'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const SERVER = `
import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
process.send({ hello: process.env.NAME })
serve((request) => new Response(process.pid + ' ' + new URL(request.url).pathname + ' ' + process.argv[2]))`

const UNTIL_DRAIN = `
import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
serve(async (request, { draining }) => {
  if (new URL(request.url).pathname !== '/until-drain') return new Response('ok')
  await new Promise((resolve) => draining.addEventListener('abort', resolve))
  return new Response('drained')
})`

let site: Site

siteForEachTest((each) => {
  site = each
  site.write('server.mjs', SERVER)
})

describe('runPool', () => {
  test('leaves nothing behind if the pool cannot start', async () => {
    const control = site.path('app.ctl')
    const before = process.listenerCount('SIGTERM')
    const options = { script: site.path('server.mjs'), control }
    await expect(runPool({ ...options, listen: { path: '/no/such/folder/app.sock' } })).rejects.toThrow(
      'ENOENT',
    )
    await expect.poll(() => existsSync(control)).toBe(false)
    // The status page cannot listen, so the pool never starts.
    await expect(runPool({ ...options, status: { path: '/no/such/folder/status.sock' } })).rejects.toThrow(
      'ENOENT',
    )
    await expect.poll(() => existsSync(control)).toBe(false)
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })
})

test('a program that is given with --eval runs once, and not in each worker', async () => {
  const options = { script: site.path('server.mjs'), listen: { port: 0 } }
  const code = `import { createPool } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/pool'))}
    if (process.env.NESTED) process.exit(1)
    const env = { ...process.env, NESTED: '1' }
    const pool = createPool({ ...${JSON.stringify(options)}, env })
    await pool.start()
    console.log('started')
    await pool.close()`
  const program = site.start(process.execPath, ['--input-type=module', '-e', code])
  await program.printed(/^started$/m)
  expect(await program.exited).toEqual({ code: 0, signal: null })
})

test('two SIGTTIN at a time add two workers', async () => {
  const listen = { path: site.path('app.%i.sock') }
  const pool = await runPool({ script: site.path('server.mjs'), perWorkerSockets: true, listen })
  process.emit('SIGTTIN', 'SIGTTIN')
  process.emit('SIGTTIN', 'SIGTTIN')
  await expect.poll(() => pool.status()).toMatchObject({ wanted: 3, addresses: { length: 3 } })
  await pool.close()
})

describe('createPool', () => {
  test('starts workers, reloads, scales and closes, and tells each step by an event', async () => {
    const pool = create({ workers: 2, args: ['--flag'], env: { ...process.env, NAME: 'pool' } })
    const events: string[] = []
    for (const name of ['listening', 'start', 'ready', 'drain', 'exit', 'reload', 'close'] as const) {
      pool.on(name, () => void events.push(name))
    }
    const messages: unknown[] = []
    pool.on('message', (_, message) => void messages.push(message))

    await pool.start()
    expect(pool.status()).toMatchObject({
      state: 'running',
      wanted: 2,
      restarts: {},
      workers: [{ slot: 0 }, { slot: 1 }],
    })
    expect(messages).toContainEqual({ hello: 'pool' })
    expect(await ask(pool, '/a')).toMatch(/^\d+ \/a --flag$/)
    expect(events).toEqual(['listening', 'start', 'ready', 'start', 'ready'])

    const before = pidsOf(pool)
    await pool.reload()
    const after = pool.status().workers.filter(({ generation }) => generation === 1)
    expect(after.map(({ pid }) => before.includes(pid))).toEqual([false, false])

    await pool.scale(1)
    await expect.poll(() => pool.status().workers.length).toBe(1)
    await pool.close()
    expect(pool.status()).toMatchObject({ state: 'closed', workers: [] })
    expect(events.at(-1)).toBe('close')
    await expect(pool.reload()).rejects.toMatchObject({ code: 'FCGI_ERR_POOL_CLOSED' })
  })

  test('with a socket for each worker: those of removed workers close, when the requests in their queues have been served', async () => {
    site.write('server.mjs', UNTIL_DRAIN)
    const pool = create({ workers: 2, perWorkerSockets: true, listen: { path: site.path('app.%i.sock') } })
    await pool.start()
    const [first, second] = pool.status().addresses as string[]
    const running = askAt(second!, '/until-drain')
    const queued = connect({ path: second! })
    await expect.poll(() => pool.status().workers[1]!.active, { timeout: 5000 }).toBe(1)
    await pool.scale(1)
    expect(pool.status().addresses).toEqual([first])
    expect(await running).toBe('drained')
    queued.destroy()
    // A front server that still knows the address must not wait there for a worker.
    await expect(askAt(second!, '/')).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await askAt(first!, '/')).toBe('ok')
    await pool.scale(2)
    await expect.poll(() => pool.status().state, { timeout: 10_000 }).toBe('running')
    expect(await askAt(second!, '/')).toBe('ok')
    await pool.close()
  })

  test('changes of the number of workers at the same time follow one another', async () => {
    const pool = create({ workers: 1, perWorkerSockets: true, listen: { path: site.path('app.%i.sock') } })
    await Promise.all([pool.start(), pool.scale(3), pool.scale(2), pool.scale(1), pool.scale(2)])
    await expect.poll(() => pool.status().state, { timeout: 10_000 }).toBe('running')
    expect(pool.status()).toMatchObject({ wanted: 2, addresses: { length: 2 } })
    for (const address of pool.status().addresses) expect(await askAt(String(address), '/')).toContain('/')
    await pool.close()
  })

  test('start() of a pool that was closed before rejects as other calls do', async () => {
    const pool = create({})
    await pool.close()
    await expect(pool.start()).rejects.toMatchObject({ code: 'FCGI_ERR_POOL_CLOSED' })
  })

  test('counts the requests of all workers, those that have ended, too', async () => {
    const pool = create({ workers: 1 })
    await pool.start()
    for (let count = 0; count < 5; count++) await ask(pool, '/')
    await pool.reload()
    for (let count = 0; count < 5; count++) await ask(pool, '/')
    await expect.poll(() => pool.status().requests).toBe(10)
    await pool.close()
  })

  test('rejects if the first worker fails, with its exit status', async () => {
    site.write('server.mjs', 'process.exit(7)')
    const pool = create({})
    const error = await pool.start().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PoolError)
    expect(error).toMatchObject({
      code: 'FCGI_ERR_POOL_START',
      exit: { code: 7, signal: null },
      message: expect.stringContaining('ended before it listened, with exit status 7'),
    })
    await pool.close()
  })

  test('rejects if the program ends without listening, and says what the program must call', async () => {
    site.write('server.mjs', 'export default () => {}')
    const pool = create({})
    await expect(pool.start()).rejects.toThrow(
      /ended before it listened, with exit status 0\. The program must call serve\(app\) without an address\.$/,
    )
    await pool.close()
  })

  test('rejects if it cannot listen, and says what to do', async () => {
    const first = create({})
    await first.start()
    const [address] = first.status().addresses as { port: number }[]
    const second = create({ listen: { port: address!.port } })
    await expect(second.start()).rejects.toThrow(
      /^EADDRINUSE: cannot listen on 127\.0\.0\.1:\d+: it is in use\. Stop the server there/,
    )
    const folder = create({ listen: { path: '/no/such/folder/app.sock' } })
    await expect(folder.start()).rejects.toThrow(/^ENOENT: .*its folder does not exist/)
    await first.close()
  })

  test('never takes the socket of a live server, and replaces a stale one', async () => {
    const path = site.path('app.sock')
    const first = create({ listen: { path, mode: 0o600 } })
    await first.start()
    const second = create({ listen: { path } })
    await expect(second.start()).rejects.toThrow(/^EADDRINUSE: .* is in use by a live server/)
    expect(await ask(first, '/a')).toContain('/a')
    await first.close()
  })

  test('keeps running when workers crash, and backs off while crashes repeat', {
    timeout: 120_000,
  }, async () => {
    const pool = create({ workers: 1 })
    await pool.start()
    site.write('server.mjs', 'process.exit(7)')
    process.kill(pidsOf(pool)[0]!, 'SIGKILL')
    const ends: number[] = []
    await new Promise<void>((resolve) => {
      const onExit = (_: unknown, { reason, code }: WorkerEnd): void => {
        expect(reason).toBe('crash')
        if (code === 7) ends.push(performance.now())
        if (ends.length < 3) return
        // Later exits are not crashes.
        pool.off('exit', onExit)
        resolve()
      }
      pool.on('exit', onExit)
    })
    expect(pool.status().state).toBe('degraded')
    // The third death in a row is followed by a pause of 0.4 s, less 20 %.
    expect(ends[2]! - ends[1]!).toBeGreaterThan(310)
    site.write('server.mjs', SERVER)
    // The socket was held meanwhile.
    expect(await ask(pool, '/a')).toContain('/a')
    await pool.close()
  })
})

function create(options: Partial<PoolOptions>): Pool {
  return createPool({ script: site.path('server.mjs'), listen: { port: 0 }, ...options })
}

function pidsOf(pool: Pool): (number | undefined)[] {
  return pool.status().workers.map(({ pid }) => pid)
}

async function ask(pool: Pool, path: string): Promise<string> {
  const [address] = pool.status().addresses
  return askAt(typeof address === 'string' ? address : `${address!.address}:${address!.port}`, path)
}

async function askAt(where: string, path: string): Promise<string> {
  const dispatcher = new FastCgiDispatcher(where, { maxIdleConnections: 0, onStderr() {} })
  const { body } = await request(`http://test${path}`, { dispatcher })
  return body.text()
}
