import { afterEach, beforeEach, onTestFailed } from 'vitest'
import { Site } from './site.ts'

/**
 * Gives each test of the file, or of the `describe` that this is called in, a site of its own by `take`. What its programs wrote
 * is printed where the test fails, and all of them are stopped behind it.
 */
export function siteForEachTest(take: (site: Site) => void): void {
  let site: Site
  beforeEach(() => {
    site = new Site()
    onTestFailed(() => console.error(site.report()))
    take(site)
  })
  afterEach(() => site.stop())
}
