import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import {
  compareResponses,
  disconnectFromStream,
  startBehindNginx,
  startByApache,
  startHttp,
} from './compared.ts'
import { PROGRAMS } from './programs.js'

// `npm run test:frameworks -- NAME…` tests some projects only.
const chosen = process.env.FRAMEWORK_PROJECTS?.split(',')

/** Declares the tests of all programs of these projects. */
export function testProgramsOf(isIncluded: (project: string) => boolean): void {
  const fronts = { 'behind nginx': startBehindNginx, 'started by mod_fcgid': startByApache }
  let site: Site
  siteForEachTest((each) => {
    site = each
  })
  describe.each(PROGRAMS.filter(({ project }) => isIncluded(project) && chosen?.includes(project) !== false))(
    '$name',
    (tested) => {
      for (const [where, start] of Object.entries(fronts)) {
        if (start === startByApache && !tested.isStartedByApache) continue
        test(`${where}, responds as its own HTTP server does`, async () => {
          // Programs write their port into URLs, so both get the same one. Only the HTTP server listens on it.
          const [port] = await freePorts(1)
          const http = await startHttp(site, tested, port!)
          const fastCgi = await start(site, tested, port!)
          await compareResponses(tested, fastCgi, http)
          if (tested.stream !== undefined) {
            await disconnectFromStream(tested.stream, http)
            await disconnectFromStream(tested.stream, fastCgi)
          }
          if (fastCgi.program === undefined) return
          // A handler of the program may end it with 143, or with the signal (null).
          const { code } = await fastCgi.program.stop()
          expect([0, 143, null], 'the status after SIGTERM').toContain(code)
        })
      }
    },
  )
}
