// `npm run docs:frameworks`: writes docs/frameworks.md from the table of the programs that `npm run test:frameworks` runs.

import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { frameworksPage } from '../tests/frameworks/page.js'
import { main, root } from './lib/run.js'

const FILE = `${root}docs/frameworks.md`

/** Checks that docs/frameworks.md is the page that the table gives. Prints what to do if it is not. */
export function checkFrameworksPage() {
  if (readFileSync(FILE, 'utf8') === frameworksPage()) return true
  console.error(
    'docs/frameworks.md is not what tests/frameworks/programs.js gives. Run: npm run docs:frameworks',
  )
  return false
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main(() => writeFileSync(FILE, frameworksPage()))
