// The messages to systemd. A program in place of systemd-notify records its arguments, because systemd itself needs its own machine.
import { chmodSync, readFileSync } from 'node:fs'
import { FastCgiDispatcher } from '@fcgi-bridge/client'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { LOAD_APP } from './load.ts'

let site: Site

siteForEachTest((each) => {
  site = each
  site.write(
    'app.mjs',
    LOAD_APP.replace("'/pid'", "'/env'").replace('String(process.pid)', 'Object.keys(process.env).join()'),
  )
})

test('READY when all workers are, RELOADING with its time, READY again, STOPPING, and the watchdog', async () => {
  const bin = site.makeFolder('bin')
  const log = site.path('notify.log')
  site.write('bin/systemd-notify', `#!/bin/sh\nprintf '%s;' "$@" >> ${log}\necho >> ${log}\n`)
  chmodSync(`${bin}/systemd-notify`, 0o755)
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    NOTIFY_SOCKET: '/run/systemd/notify',
    WATCHDOG_USEC: '1000000',
  }
  const args = [COMMAND_LINE, 'serve', 'app.mjs', '--port', '0', '--workers', '2']
  const program = site.start(process.execPath, args, { cwd: site.folder, env })
  const [, address] = await program.printed(/^Serving .* (\S+)$/m)
  await notified(/^READY=1;WATCHDOG=1;STATUS=running: 2 of 2 workers ready;$/m)
  // Each worker would take itself for the service.
  const dispatcher = new FastCgiDispatcher(address!, { maxIdleConnections: 0 })
  const { body } = await request('http://test/env', { dispatcher })
  expect(await body.text()).not.toMatch(/NOTIFY_SOCKET|WATCHDOG_USEC/)
  process.kill(program.pid, 'SIGHUP')
  await notified(/^RELOADING=1;MONOTONIC_USEC=\d+;STATUS=Reloading;$/m)
  await notified(/^RELOADING=1[^\n]*\n(?:WATCHDOG=1;STATUS=.*\n|STATUS=.*\n)*READY=1;/m)
  await program.stop()
  await notified(/^STOPPING=1;STATUS=Waiting for running requests;$/m)

  function notified(pattern: RegExp): Promise<void> {
    return expect.poll(() => readFileSync(log, 'utf8')).toMatch(pattern)
  }
})
