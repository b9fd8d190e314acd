// The file of a Unix socket is removed while its server runs, as cleaners of /tmp and careless scripts do.
import { rmSync } from 'node:fs'
import { Peer } from '@fcgi-bridge/testing'
import { expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { FaultSite } from './fault-site.ts'

test('open connections continue, a warning names the cause, and the next server keeps its own file', async () => {
  const site = new FaultSite()
  try {
    const { origin, at, name, program } = await site.startBehindNginx('fetch')
    const kept = await Peer.connect(at)
    kept.get(1, { REQUEST_URI: '/text' }, { keepConn: true })
    await kept.response(1)
    rmSync(site.path('app.sock'))

    expect((await send(origin, '/text')).status).toBe(502)
    kept.get(2, { REQUEST_URI: '/text' }, { keepConn: true })
    expect((await kept.response(2)).stdout).toContain('some text\n')
    await program.printed(
      /\[FCGI_WARN_SOCKET_LOST\] Warning: \S+\/app\.sock was removed or replaced .* Restart this program\./,
    )

    await site.restart({ name, at, program })
    expect(await program.stop()).toEqual({ code: 0, signal: null })
    await kept.end()
    kept.destroy()
    expect(await send(origin, '/text')).toMatchObject({ status: 200 })
  } finally {
    await site.stop()
  }
})
