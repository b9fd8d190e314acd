// `npm run test:wpt -- CHECKOUT`: runs the web-platform tests of Request, Response, Headers and FormData with the platform's classes and
// with those of overrideGlobalObjects. Fails if a subtest passes with the platform's alone. See README.md.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const FOLDERS = [
  'fetch/api/body',
  'fetch/api/headers',
  'fetch/api/request',
  'fetch/api/response',
  'xhr/formdata',
  'xhr',
]
// These need a browser's cache, its ports or its pages.
const NEEDS_BROWSER = /cache|keepalive|bad-port|reset-attributes/
const SIDE = fileURLToPath(new URL('side.js', import.meta.url))

const [checkout] = process.argv.slice(2)
if (checkout === undefined || !existsSync(join(checkout, 'resources/testharness.js'))) {
  console.error('Give the folder of a checkout of the web-platform tests: npm run test:wpt -- ../wpt')
  process.exit(2)
}

let passed = 0
let subtests = 0
let lost = 0
for (const file of FOLDERS.flatMap(filesIn)) {
  const native = run(file, 'native')
  const light = run(file, 'light')
  for (const [name, status] of Object.entries(native)) {
    subtests++
    if (status !== 0) continue
    passed++
    if (light[name] === 0) continue
    lost++
    console.log(`LOST ${file}: ${name}`)
  }
}
console.log(
  `Node ${process.version}: ${subtests} subtests, ${passed} pass with the platform's classes, ${lost} of these are lost.`,
)
if (lost > 0 || passed === 0) process.exitCode = 1

/** @param {string} folder */
function filesIn(folder) {
  const path = join(checkout, folder)
  if (!existsSync(path)) return []
  const isTest = (/** @type {string} */ name) =>
    /\.(?:html?|any\.js|window\.js)$/.test(name) &&
    !NEEDS_BROWSER.test(name) &&
    (folder !== 'xhr' || /^formdata/i.test(name))
  return readdirSync(path)
    .filter(isTest)
    .sort()
    .map((name) => `${folder}/${name}`)
}

/**
 * @param {string} file
 * @param {'native' | 'light'} mode
 * @returns {Record<string, number>}
 */
function run(file, mode) {
  try {
    const options = /** @type {const} */ ({
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return JSON.parse(execFileSync(process.execPath, ['--no-warnings', SIDE, checkout, file, mode], options))
  } catch (error) {
    return { [`The file does not run: ${error}`]: 1 }
  }
}
