import { afterEach, beforeEach, onTestFailed } from 'vitest'
import { Site } from './site.ts'

/**
 * Gives each test of the file, or of the `describe` that this is called in, a site of its own by `take`. What its programs wrote
 * is printed where the test fails, and all of them are ended behind it, by `end`: stopped, where nothing else is said.
 */
export function siteForEachTest(
  take: (site: Site) => void,
  end: (site: Site) => Promise<void> = (site) => site.stop(),
): void {
  let site: Site
  beforeEach(() => {
    site = new Site()
    onTestFailed(() => console.error(site.report()))
    take(site)
  })
  afterEach(() => end(site))
}
