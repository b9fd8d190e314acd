import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { Site } from '../support/fronts/site.ts'
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
  // Concurrently, because each waits for the starts of several processes. test-frameworks.js limits how many run at a time.
  describe.concurrent.each(
    PROGRAMS.filter(({ project }) => isIncluded(project) && chosen?.includes(project) !== false),
  )('$name', (tested) => {
    for (const [where, start] of Object.entries(fronts)) {
      if (start === startByApache && !tested.isStartedByApache) continue
      test(`${where}, responds as its own HTTP server does`, () =>
        withSite(async (site) => {
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
        }))
    }
  })
}

/** Runs `use` with a new site, and stops its programs afterwards. */
async function withSite(use: (site: Site) => Promise<void>): Promise<void> {
  const site = new Site()
  try {
    await use(site)
  } catch (error) {
    console.error(site.report())
    throw error
  } finally {
    await site.stop()
  }
}
