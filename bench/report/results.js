import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bin, run } from '../../scripts/lib/run.js'
import { growthPlot } from './growth-plot.js'
import { markdown } from './markdown.js'
import { performancePage } from './performance.js'
import { ratioPlot } from './ratio-plot.js'

const FOLDER = new URL('../', import.meta.url)

/** The page for readers. */
const PERFORMANCE = '../docs/performance.md'

/**
 * @typedef {object} Results The contents of `results.json`.
 * @property {import('../lib/environment.js').Environment} environment Of the last full run.
 * @property {Measured[]} results
 *
 * @typedef {import('../cases/index.js').Result & { case: string, transport: string, connections?: number, taken?: Taken }} Measured
 *
 * @typedef {{ date: string, commit: string }} Taken Of results that were measured separately from the full run.
 */

/** True if two results are of the same measurement. @param {Measured} a @param {Measured} b */
export function isSame(a, b) {
  const keys = ['type', 'name', 'node', 'transport', 'connections']
  return keys.every((key) => a[key] === b[key])
}

/** The last saved results, if there are any. @returns {Results | undefined} */
export function readResults() {
  const file = new URL('results.json', FOLDER)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/**
 * Writes `results.json`, the report and the plots.
 * @param {Results | undefined} before
 * @param {import('../lib/environment.js').Environment} environment
 * @param {Results['results']} fresh
 * @param {{ all: boolean }} options `all`: a full run. Otherwise its rows replace those of the previous results.
 */
export function writeResults(before, environment, fresh, { all }) {
  const results =
    all || before === undefined ? { environment, results: fresh } : merge(before, environment, fresh)
  write('results.json', JSON.stringify(results, rounded, 2))
  write('ratios.svg', ratioPlot(results))
  write('growth.svg', growthPlot(results))
  write('RESULTS.md', markdown(results))
  write(PERFORMANCE, performancePage(results))
  // Formatted like `npm run format` does.
  const files = ['results.json', 'RESULTS.md', PERFORMANCE].map((name) =>
    fileURLToPath(new URL(name, FOLDER)),
  )
  run(process.execPath, [bin('@biomejs/biome', 'bin/biome'), 'format', '--write', ...files])
}

// No measurement has more than four significant digits.
function rounded(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
}

function merge(before, { commit, date }, fresh) {
  const marked = fresh.map((result) => ({ ...result, taken: { commit, date } }))
  const kept = before.results.map((old) => marked.find((result) => isSame(result, old)) ?? old)
  const added = marked.filter((result) => !before.results.some((old) => isSame(result, old)))
  return { environment: before.environment, results: [...kept, ...added] }
}

function write(name, text) {
  writeFileSync(new URL(name, FOLDER), text)
}
