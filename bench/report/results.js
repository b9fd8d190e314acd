import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bin, run } from '../../scripts/lib/run.js'
import { growthPlot } from './growth-plot.js'
import { markdown } from './markdown.js'
import { ratioPlot } from './ratio-plot.js'

const FOLDER = new URL('../', import.meta.url)

/**
 * @typedef {object} Results What `results.json` holds.
 * @property {import('../lib/environment.js').Environment} environment Of the last full run.
 * @property {Measured[]} results
 *
 * @typedef {import('../cases/index.js').Result & { case: string, transport: string, connections?: number, taken?: Taken }} Measured
 *
 * @typedef {{ date: string, commit: string }} Taken Of what was measured apart from the full run.
 */

/** Whether two results are of the same thing. @param {Measured} a @param {Measured} b */
export function isSame(a, b) {
  const keys = ['type', 'name', 'node', 'transport', 'connections']
  return keys.every((key) => a[key] === b[key])
}

/** The results that were saved last, if there are any. @returns {Results | undefined} */
export function readResults() {
  const file = new URL('results.json', FOLDER)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}

/**
 * Writes `results.json`, and the report and the plots of it.
 * @param {Results | undefined} before
 * @param {import('../lib/environment.js').Environment} environment
 * @param {Results['results']} fresh
 * @param {{ all: boolean }} options Whether the run was a full one, or its rows go among those of the one before.
 */
export function writeResults(before, environment, fresh, { all }) {
  const results =
    all || before === undefined ? { environment, results: fresh } : merge(before, environment, fresh)
  write('results.json', JSON.stringify(results, rounded, 2))
  write('ratios.svg', ratioPlot(results))
  write('growth.svg', growthPlot(results))
  write('RESULTS.md', markdown(results))
  // As `npm run format` would have them.
  const files = ['results.json', 'RESULTS.md'].map((name) => fileURLToPath(new URL(name, FOLDER)))
  run(process.execPath, [bin('@biomejs/biome', 'bin/biome'), 'format', '--write', ...files])
}

// No measurement here has more than four places that count.
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
