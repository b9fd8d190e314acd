// Runs one file of the web-platform tests: `node side.js CHECKOUT FILE native|light`. Prints a JSON object of subtests and their status.

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runInThisContext } from 'node:vm'
import { toHandler } from '@fcgi-bridge/fetch-adapter'

// Milliseconds. A subtest that has no result by then counts as not passed.
const TIMEOUT = 8000
// Milliseconds. Tests that are defined later are not awaited.
const DEFINITION_TIMEOUT = 700

const [checkout, file, mode] = process.argv.slice(2)
if (mode === 'light') toHandler(() => new Response(), { overrideGlobalObjects: true })

/** @param {string} path */
const load = (path) => runInThisContext(readFileSync(path, 'utf8'), path)
/** @param {string} source */
const resolve = (source) => join(checkout, source.startsWith('/') ? '' : dirname(file), source)

// The globals of a browser that the files need. A test that needs others fails in both modes.
Object.assign(globalThis, {
  self: globalThis,
  GLOBAL: { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false },
  location: new URL(file, 'http://web-platform.test:8000/'),
})
process.on('uncaughtException', () => {})
load(join(checkout, 'resources/testharness.js'))
const { add_completion_callback, add_result_callback, done, setup } = globalThis
setup({ explicit_timeout: true, hide_test_state: true })

/** @type {Record<string, number>} */
const statuses = {}
const timer = setTimeout(finish, TIMEOUT)
add_result_callback(({ name, status }) => {
  let unique = name
  while (Object.hasOwn(statuses, unique)) unique += "'"
  statuses[unique] = status
})
add_completion_callback(finish)
for (const run of scripts()) {
  try {
    run()
  } catch (error) {
    statuses[`A script throws: ${error}`] = 1
  }
}
setTimeout(done, DEFINITION_TIMEOUT)

function finish() {
  clearTimeout(timer)
  process.stdout.write(JSON.stringify(statuses), () => process.exit())
}

/** @returns {(() => unknown)[]} */
function scripts() {
  const text = readFileSync(join(checkout, file), 'utf8')
  if (file.endsWith('.js')) {
    const sources = [...text.matchAll(/^\/\/ META: script=(.*)$/gm)].map(([, source]) =>
      resolve(source.trim()),
    )
    return [...sources, join(checkout, file)].map((path) => () => load(path))
  }
  const elements = [...text.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/gi)]
  return elements.flatMap(([, attributes, inline]) => {
    const source = /src\s*=\s*["']?([^"'\s>]+)/.exec(attributes)?.[1]
    if (source === undefined) return [() => runInThisContext(inline, file)]
    return source.includes('testharness') ? [] : [() => load(resolve(source))]
  })
}
