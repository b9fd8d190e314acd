import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest'
import { APPS, type Front, type RunningFront } from '../fronts/front.ts'
import { Site } from '../fronts/site.ts'
import { bodies } from './bodies.ts'
import { lengths } from './lengths.ts'
import { requests } from './requests.ts'
import { responses } from './responses.ts'
import { sentHeaders } from './sent-headers.ts'
import { streams } from './streams.ts'

/**
 * Time-out of a case in milliseconds. Eight concurrent CGI programs start Node eight times, while other tests are
 * running.
 */
const TIMEOUT = 120_000

const cases = [...requests, ...sentHeaders, ...bodies, ...responses, ...lengths, ...streams]

/** Declares every case, for both apps, in every mode of a front server. */
export function describeFront(front: Front): void {
  describe(front.name, () => {
    let site: Site
    let running: RunningFront

    beforeAll(async () => {
      site = new Site()
      running = await front.start(site)
    })

    afterAll(() => site.stop())

    for (const mode of front.modes) {
      for (const app of APPS) {
        describe(`${mode.name}: ${app}`, () => {
          for (const { name, once, run } of cases) {
            if (once && mode !== front.modes[0]) continue
            test(name, { timeout: TIMEOUT }, async () => {
              onTestFailed(() => console.error(site.report().split('\n').slice(-40).join('\n')))
              const path = (ofApp: string) => mode.prefix + ofApp
              await run({ origin: running.origin(mode.name, app), mode, app, site, path })
              expect(site.ended()).toEqual([])
              // If a worker crashes, nginx and Apache start a new one.
              expect(site.errorLog()).not.toMatch(/exit(ed on)? signal/)
            })
          }
        })
      }
    }
  })
}
