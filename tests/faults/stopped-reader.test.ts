// The front server stops reading a response for a while, as if its disk were stalled. The app is not affected, and the response is
// complete.
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { content, digest } from '../support/apps/content.js'
import { open, readAll } from '../support/cases/http.ts'
import { APPS } from '../support/fronts/front.ts'
import { residentMemory } from '../support/fronts/processes.ts'
import { askDirectly, FaultSite } from './fault-site.ts'

const MIB = 1024 * 1024
const LENGTH = 100 * MIB

test.each(APPS)(
  '%s: other requests continue, memory does not grow, and the response is complete',
  async (app) => {
    const site = new FaultSite()
    try {
      const { origin, at, program } = await site.startBehindNginx(app)
      await askDirectly(at, '/text')
      const before = residentMemory(program.pid)
      const incoming = await open(origin, `/content/${LENGTH}`)
      await once(incoming, 'readable')
      for (const { pid } of site.fronts()) process.kill(pid, 'SIGSTOP')
      for (let request = 0; request < 50; request++) {
        expect(await askDirectly(at, '/text')).toContain('some text\n')
      }
      expect((residentMemory(program.pid) - before) / MIB).toBeLessThan(60)
      for (const { pid } of site.fronts()) process.kill(pid, 'SIGCONT')
      expect(await digest([await readAll(incoming)])).toEqual(await digest(content(LENGTH)))
    } finally {
      for (const { pid } of site.fronts()) process.kill(pid, 'SIGCONT')
      await site.stop()
    }
  },
)
