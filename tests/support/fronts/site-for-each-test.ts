import { afterEach, beforeEach, onTestFailed } from 'vitest'
import { Site } from './site.ts'

/**
 * Creates a site for each test of the file, or of the `describe` that calls this, and passes it to `take`. If a test
 * fails, the output of its programs is printed. After each test `end` ends its programs. By default it stops them.
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
