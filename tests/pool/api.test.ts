// The programmatic API: what `fcgi-bridge serve --workers` does, from a program.
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { createPool, type Pool, PoolError, type PoolOptions, type WorkerEnd } from '@fcgi-bridge/pool'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const SERVER = `
import { serve } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/fetch-adapter'))}
process.send({ hello: process.env.NAME })
serve((request) => new Response(process.pid + ' ' + new URL(request.url).pathname + ' ' + process.argv[2]))`

let site: Site

siteForEachTest((each) => {
  site = each
  site.write('server.mjs', SERVER)
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
  const where = typeof address === 'string' ? address : `${address!.address}:${address!.port}`
  const dispatcher = new FastCgiDispatcher(where, { maxIdleConnections: 0, onStderr() {} })
  const { body } = await request(`http://test${path}`, { dispatcher })
  return body.text()
}
