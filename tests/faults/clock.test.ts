// The system clock is set to another time. No timeout may expire because of that.
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { Peer } from '@fcgi-bridge/testing'
import { test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { required } from '../support/fronts/programs.ts'
import { FAULTY_APPS, FaultSite } from './fault-site.ts'

const DAY = 24 * 60 * 60 * 1000

test.concurrent.for(FAULTY_APPS)(
  '%s: the clock is set a day forward, and then two days back',
  async (app, { expect }) => {
    const site = new FaultSite()
    try {
      const jump = (by: string) => site.write('clock', by)
      jump('+0')
      const { origin, at, program } = await site.startBehindNginx(app, 'exec "$@"', {
        LD_PRELOAD: faketime(),
        FAKETIME_TIMESTAMP_FILE: site.path('clock'),
        FAKETIME_NO_CACHE: '1',
        // The monotonic clock, which cannot be set.
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      })
      // A late response, a late request body, and a keep-alive connection.
      const id = randomUUID()
      const response = send(origin, `/hold?id=${id}`)
      const began = Number(await site.control.waitFor(id, 'held'))
      const peer = await Peer.connect(at)
      peer.post(
        1,
        { REQUEST_URI: `/store?file=${site.path('stored')}`, CONTENT_LENGTH: '4' },
        { keepConn: true },
      )
      peer.stdin(1, 'be')
      const kept = await Peer.connect(at)
      kept.get(1, { REQUEST_URI: '/text' }, { keepConn: true })
      await kept.response(1)

      for (const by of ['+1d', '-1d']) {
        jump(by)
        // Longer than the interval between two checks of the timeouts.
        expect((await send(origin, '/later')).text).toBe('later\n')
        expect((await send(origin, '/later')).text).toBe('later\n')
      }
      site.control.send(id, 'continue')
      const [, ended] = /^held until (\d+)\n$/.exec((await response).text)!
      expect(Number(ended) - began).toBeLessThan(-DAY / 2)
      peer.stdin(1, 'at').endStdin(1)
      expect((await peer.response(1)).stdout).toContain('stored\n')
      kept.get(2, { REQUEST_URI: '/text' }, { keepConn: true })
      expect((await kept.response(2)).stdout).toContain('some text\n')
      peer.destroy()
      kept.destroy()
      // The drain deadline must neither pass at once nor take a day.
      expect(await program.stop()).toEqual({ code: 0, signal: null })
    } finally {
      await site.stop()
    }
  },
)

/** The library that Debian's faketime preloads into programs. */
function faketime(): string {
  required('faketime')
  const [file] = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .filter((path) => existsSync(path))
  return file!
}
