// SIGTERM and the listening socket that a front server passes as descriptor 0.
import { fileURLToPath } from 'node:url'
import { Peer } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import { listeningOf, type Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

const APP = fileURLToPath(new URL('../support/apps/drain.js', import.meta.url))

let site: Site

siteForEachTest((each) => {
  site = each
})

function spawnOnDescriptor0(
  path: string,
  command: string[],
  variables: Record<string, string> = {},
): Program {
  const env = { ...process.env, ...site.appEnvironment(), ...variables }
  return site.start(required('spawn-fcgi'), ['-s', path, '-n', '--', ...command], { env })
}

/** A command that passes descriptor 0 to `command` as systemd does. */
function asSystemd(command: readonly string[]): string[] {
  const words = command.map((word) => `'${word}'`).join(' ')
  return ['/bin/sh', '-c', `LISTEN_PID=$$ LISTEN_FDS=1 exec ${words} 3<&0 0</dev/null`]
}

async function connect(path: string, query = ''): Promise<Peer> {
  const peer = await Peer.connect({ path })
  peer.get(1, { REQUEST_URI: `/?${query}`, QUERY_STRING: query })
  return peer
}

type Result = 'responded' | 'refused' | 'lost'

/** One request with a connection of its own, as mod_fcgid sends it. */
async function ask(path: string, query: string): Promise<Result> {
  let peer: Peer
  try {
    peer = await connect(path, query)
  } catch {
    return 'refused'
  }
  return peer
    .response(1)
    .then(
      () => 'responded' as const,
      () => 'lost' as const,
    )
    .finally(() => peer.destroy())
}

// mod_fcgid gives a process one request at a time. It uses another process if this one refuses the connection.
describe('one request at a time, and SIGTERM: each connection that is accepted gets its response', () => {
  test.each([
    ['back to back', '', 0],
    ['20 ms apart', '', 20],
    ['in the middle of a request', 'wait=100', 0],
  ])('%s', async (_, query, pause) => {
    for (let round = 0; round < 8; round++) {
      const path = site.path(`app${round}.sock`)
      const program = spawnOnDescriptor0(path, [process.execPath, APP])
      await listeningOf(program)
      const results: Result[] = []
      setTimeout(() => program.child.kill('SIGTERM'), 30 + round * 7)
      do {
        results.push(await ask(path, query))
        if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause))
      } while (results.at(-1) === 'responded')
      expect(results.at(-1)).toBe('refused')
      expect(await program.exited).toEqual({ code: 0, signal: null })
    }
  })

  test('the socket refuses connections once it is closed, while a request runs', async () => {
    const path = site.path('app.sock')
    const program = spawnOnDescriptor0(path, [process.execPath, APP])
    await listeningOf(program)
    const running = await connect(path, 'wait=1500')
    await expect.poll(() => ask(path, '')).toBe('responded')
    program.child.kill('SIGTERM')
    // The kernel resets a connection that is in the queue when the socket is closed.
    while ((await ask(path, '')) === 'responded');
    expect(await ask(path, '')).toBe('refused')
    expect(program.running).toBe(true)
    expect((await running.response(1)).stdout).toMatch(/^Status: 200/)
  })
})

describe('SIGTERM while the program loads: the request that waits for it gets a response', () => {
  async function terminateWhileLoading(command: string[]): Promise<void> {
    const path = site.path('app.sock')
    const program = spawnOnDescriptor0(path, command, { FCGI_BRIDGE_TEST_LOADING: '500' })
    await site.control.waitFor(String(program.pid), 'loading')
    const peer = await connect(path)
    program.child.kill('SIGTERM')
    expect((await peer.response(1)).stdout).toMatch(/^Status: 200/)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  }

  test('once the package has been imported', () => terminateWhileLoading([process.execPath, APP]))

  test('from the first line of app.fcgi on', async () => {
    site.write(
      'app.fcgi.cjs',
      `process.on('SIGTERM', () => { globalThis.fcgiBridgeStop = true })
console.log('first line')
const end = Date.now() + 300
while (Date.now() < end);
import(${JSON.stringify(APP)})`,
    )
    const path = site.path('app.sock')
    const program = spawnOnDescriptor0(path, [process.execPath, site.path('app.fcgi.cjs')])
    await program.printed(/first line/)
    const peer = await connect(path)
    program.child.kill('SIGTERM')
    expect((await peer.response(1)).stdout).toMatch(/^Status: 200/)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  function slowApp(): string {
    return site.write(
      'slow.mjs',
      `console.error('loading', process.pid)
await new Promise((resolve) => setTimeout(resolve, 500))
export default { fetch: () => new Response('hello') }`,
    )
  }

  test.each([
    ['fcgi-bridge serve, descriptor 0', 0, []],
    ['fcgi-bridge serve --workers, descriptor 0', 0, ['--workers', '2']],
    ['fcgi-bridge serve --workers, a socket from systemd', 3, ['--workers', '2']],
  ] as const)('%s', async (_, fd, flags) => {
    const path = site.path('app.sock')
    const command = [process.execPath, COMMAND_LINE, 'serve', slowApp(), ...flags]
    const program = spawnOnDescriptor0(path, fd === 0 ? command : asSystemd(command))
    await program.printed(/^loading \d+$/m)
    const peer = await connect(path)
    program.child.kill('SIGTERM')
    expect((await peer.response(1)).stdout).toMatch(/^Status: 200[\s\S]*hello$/)
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  // systemd keeps the socket, and starts the service again for a connection that waits.
  test('fcgi-bridge serve, a socket from systemd: the next process responds', async () => {
    const path = site.path('app.sock')
    const words = [process.execPath, COMMAND_LINE, 'serve', slowApp()].map((word) => `"${word}"`).join(' ')
    const service = `sh -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec ${words}' 3<&0 0</dev/null`
    const program = spawnOnDescriptor0(path, ['/bin/sh', '-c', `${service} && ${service}`])
    const first = Number((await program.printed(/^loading (\d+)$/m))[1])
    const peer = await connect(path)
    process.kill(first, 'SIGTERM')
    expect((await peer.response(1)).stdout).toMatch(/^Status: 200[\s\S]*hello$/)
    const second = Number((await program.printed(/loading \d+[\s\S]*^loading (\d+)$/m))[1])
    process.kill(second, 'SIGTERM')
    expect(await program.exited).toEqual({ code: 0, signal: null })
  })

  test('a program that opens its own socket still ends at once', async () => {
    const program = site.start(process.execPath, [APP], {
      env: {
        ...process.env,
        ...site.appEnvironment(),
        FCGI_BRIDGE_LISTEN: site.path('own.sock'),
        FCGI_BRIDGE_TEST_LOADING: '20000',
      },
    })
    await site.control.waitFor(String(program.pid), 'loading')
    expect(await program.stop()).toEqual({ code: null, signal: 'SIGTERM' })
  })
})

test('workers of node:cluster listen on the sockets that systemd passed to their primary', async () => {
  const path = site.path('app.sock')
  const primary = site.write(
    'primary.mjs',
    `import cluster from 'node:cluster'
cluster.schedulingPolicy = cluster.SCHED_NONE
cluster.setupPrimary({ exec: ${JSON.stringify(APP)} })
cluster.fork()
cluster.fork()
process.on('SIGTERM', () => { for (const { process } of Object.values(cluster.workers)) process.kill('SIGTERM') })
`,
  )
  const program = spawnOnDescriptor0(path, asSystemd([process.execPath, primary]))
  await program.printed(/listening on "fd 3"\s+listening on "fd 3"/)
  const peer = await connect(path)
  expect((await peer.response(1)).stdout).toMatch(/pid \d+/)
  expect(await program.stop()).toEqual({ code: 0, signal: null })
})
