// Connections that wait in the queue of a listening socket when SIGTERM arrives.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import type { Listening } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import { listeningOf, type Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { HeldSocket } from '../support/held-socket.ts'

const APP = fileURLToPath(new URL('../support/apps/drain.js', import.meta.url))

let site: Site

siteForEachTest((each) => {
  site = each
})

async function connect(at: Listening, method: 'GET' | 'POST', query = ''): Promise<Peer> {
  const peer = await Peer.connect(at)
  const target = { REQUEST_URI: `/?${query}`, QUERY_STRING: query }
  if (method === 'GET') peer.get(1, target)
  else
    peer
      .post(1, { ...target, CONTENT_LENGTH: '5' })
      .stdin(1, 'hello')
      .endStdin(1)
  return peer
}

/** Blocks the program's event loop with a request, sends ten more requests, and then SIGTERM. Returns the start of each response. */
async function queueBehindBusyLoop(program: Program, at: Listening): Promise<string[]> {
  const busy = await connect(at, 'GET', 'busy=700')
  await site.control.waitFor(String(program.pid), 'busy')
  const queued: Peer[] = []
  for (let i = 0; i < 10; i++) queued.push(await connect(at, i % 2 === 0 ? 'GET' : 'POST'))
  program.child.kill('SIGTERM')
  const responses = await Promise.all(
    [busy, ...queued].map((peer) =>
      peer.response(1).then(
        ({ stdout }) => stdout.slice(0, 'Status: 200'.length),
        (error: Error) => error.message,
      ),
    ),
  )
  for (const peer of [busy, ...queued]) peer.destroy()
  return responses
}

const ALL_RESPONDED = Array<string>(11).fill('Status: 200')

describe('ten requests queued behind a busy event loop get their responses after SIGTERM', () => {
  test.each(['tcp', 'unix'])('on a socket of its own, %s', async (transport) => {
    const listen = transport === 'tcp' ? '127.0.0.1:0' : site.path('app.sock')
    const { program, at } = await site.startApp('drain', listen)
    expect(await queueBehindBusyLoop(program, at)).toEqual(ALL_RESPONDED)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test.each(['tcp', 'unix'] as const)('on a socket as descriptor 0, %s', async (transport) => {
    const { program, at } = await spawnOnDescriptor0(transport)
    expect(await queueBehindBusyLoop(program, at)).toEqual(ALL_RESPONDED)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test.each(['tcp', 'unix'] as const)(
    'by another process, on a socket that both share, %s',
    async (transport) => {
      const held = await HeldSocket.open(site, transport)
      const program = held.start()
      await listeningOf(program)
      const results = queueBehindBusyLoop(program, held.at)
      await program.exited
      const second = held.start()
      await listeningOf(second)
      expect(await results).toEqual(ALL_RESPONDED)
      held.close()
    },
  )
})

/** Starts the app with spawn-fcgi. No other process has a descriptor of the socket. */
async function spawnOnDescriptor0(transport: 'tcp' | 'unix'): Promise<{ program: Program; at: Listening }> {
  const [port] = await freePorts(1)
  const at = transport === 'tcp' ? { host: '127.0.0.1', port: port! } : { path: site.path('app.sock') }
  const address = 'path' in at ? ['-s', at.path] : ['-a', at.host, '-p', String(at.port)]
  const env = { ...process.env, ...site.appEnvironment() }
  const args = [...address, '-n', '--', process.execPath, APP]
  const program = site.start(required('spawn-fcgi'), args, { env })
  await listeningOf(program)
  return { program, at }
}

// O_NONBLOCK in /proc/PID/fdinfo.
function isNonBlocking(pid: number, fd: number): boolean {
  const [, flags] = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))!
  return (Number.parseInt(flags!, 8) & 0o4000) !== 0
}

describe('a socket that several processes share stays non-blocking', () => {
  test.each([
    ['SIGTERM', 0],
    ['SIGTERM', 3],
    ['SIGKILL', 0],
    ['SIGKILL', 3],
    ['exception', 0],
  ] as const)('when one of them ends by %s, as descriptor %i', async (end, fd) => {
    const { held, first, second } = await startTwo(fd)
    if (end === 'exception') {
      // Either process may accept a connection.
      while (first.running) {
        const peer = await connect(held.at, 'GET', `exit=${first.pid}`)
        await Promise.race([peer.end(), peer.close(), first.exited])
        peer.destroy()
      }
    } else {
      await first.stop(end)
    }
    expect(isNonBlocking(second.pid, fd)).toBe(true)
    expect((await (await connect(held.at, 'POST')).response(1)).stdout).toContain(`pid ${second.pid}`)
    held.close()
  })

  test.each([0, 3] as const)('when one of them spawns child processes, as descriptor %i', async (fd) => {
    const { held, first, second } = await startTwo(fd)
    const spawned = new Set<string>()
    // Either process may accept a connection.
    while (spawned.size < 2) {
      const { stdout } = await (await connect(held.at, 'GET', 'spawn=1')).response(1)
      spawned.add(/pid \d+/.exec(stdout)![0])
      for (const { pid } of [first, second]) expect(isNonBlocking(pid, fd)).toBe(true)
    }
    await Promise.all([first.stop(), second.stop()])
    held.close()
  })

  /** Two processes of the app on one socket. */
  async function startTwo(fd: 0 | 3): Promise<{ held: HeldSocket; first: Program; second: Program }> {
    const held = await HeldSocket.open(site, 'unix')
    // Descriptor 0 has to listen before a program is started with it.
    const opener = held.start(3)
    await listeningOf(opener)
    const [first, second] = [held.start(fd), held.start(fd)]
    await Promise.all([listeningOf(first), listeningOf(second)])
    await opener.stop()
    expect(isNonBlocking(second.pid, fd)).toBe(true)
    return { held, first, second }
  }
})
