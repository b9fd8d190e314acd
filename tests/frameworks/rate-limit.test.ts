// Better Auth limits requests by the client's address, which it reads from a header only. With `config --forwarded-headers`, the front
// server sends that header.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { send } from '../support/cases/http.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { CONFIGURED, type PrintedConfig } from '../support/fronts/configured.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { startFastCgi } from './compared.ts'
import { folderOf } from './prepare.js'
import { PROGRAMS } from './programs.js'

// The program in the printed commands.
process.argv[1] = COMMAND_LINE

const FRONTS = ['nginx', 'apache-proxy', 'caddy', 'haproxy']

let site: Site

siteForEachTest(
  (each) => {
    site = each
  },
  (each) => each.kill(),
)

describe("Better Auth's limit of two sign-ins a minute", () => {
  test.each(FRONTS)(
    'behind %s: counts each client separately, and believes no forged header',
    async (front) => {
      const port = await startBehind(front, '--forwarded-headers')
      const zoe = clientAt('127.0.0.2', port)
      expect([await zoe(), await zoe(), await zoe()]).toEqual([401, 401, 429])
      // A client that has reached its limit cannot claim to be another one.
      for (const name of FORGED) expect(await zoe(name, '10.0.0.9'), name).toBe(429)
      const ada = clientAt('127.0.0.3', port)
      // And a client cannot use up the limit of another one.
      for (const name of FORGED.slice(0, 2)) expect(await ada(name, '127.0.0.4'), name).toBe(401)
      expect(await ada()).toBe(429)
      expect(await clientAt('127.0.0.4', port)()).toBe(401)
    },
  )

  test('behind nginx without --forwarded-headers: clients share one limit, and a forged header evades it', async () => {
    const port = await startBehind('nginx')
    const zoe = clientAt('127.0.0.2', port)
    expect([await zoe(), await zoe()]).toEqual([401, 401])
    expect(await clientAt('127.0.0.3', port)()).toBe(429)
    expect(await zoe('X-Forwarded-For', '10.0.0.1')).toBe(401)
  })
})

// Headers from which libraries read the client's address, and spellings that become the same variable in CGI.
const FORGED = ['X-Forwarded-For', 'X_Forwarded_For', 'x-forwarded-for']

/** Starts the app and a front server with a printed configuration. Returns the port. */
async function startBehind(front: string, ...flags: string[]): Promise<number> {
  const tested = PROGRAMS.find(({ project }) => project === 'better-auth')!
  const [own] = await freePorts(1)
  const { path } = await startFastCgi(site, tested, own!)
  const app = join(folderOf('better-auth'), 'server.mjs')
  const print = async ([port]: number[]): Promise<PrintedConfig> => {
    let text = ''
    const output = { write: (piece: string) => (text += piece) }
    const place = ['--socket', path, '--listen', `127.0.0.1:${port}`, '--server-name', 'app.test']
    // The app needs a newer Node than the one that runs this test.
    const words = ['config', front, app, ...place, ...flags, '--no-check', '--json']
    if ((await run(words, output, output)) !== 0) throw new Error(text)
    return JSON.parse(text)
  }
  const [port] = await CONFIGURED[front]!(site, 1, print)
  return port!
}

/** Returns a function with which the client at this address tries to sign in. It resolves with the status. */
function clientAt(localAddress: string, port: number) {
  const origin = { host: '127.0.0.1', port, localAddress }
  return async (...header: string[]): Promise<number> => {
    const { status } = await send(origin, '/api/auth/sign-in/email', {
      method: 'POST',
      headers: [
        'Host',
        'app.test',
        'Origin',
        'http://app.test',
        'Content-Type',
        'application/json',
        ...header,
      ],
      body: JSON.stringify({ email: 'zoe@example.com', password: 'a guessed password' }),
    })
    return status
  }
}
