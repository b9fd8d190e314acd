import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { root, UserError } from '../../scripts/lib/run.js'

/** The newest Node LTS of the tests. */
const NEWEST_LTS = `${root}scripts/node_modules/node26/bin/node`

/**
 * @typedef {object} Node
 * @property {string} node The path of its executable.
 * @property {string} nodeVersion `v26.1.0`
 * @property {number} nodeMajor
 */

/**
 * Runs a Node to get its version. Throws a UserError if the file is not a Node.
 * @param {string} path
 * @returns {Node}
 */
export function nodeAt(path) {
  const { error, status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const version = stdout?.trim() ?? ''
  if (error || status !== 0 || !/^v\d+\./.test(version)) {
    throw new UserError(
      `${path} is not a Node: ${error?.message ?? `its version is ${JSON.stringify(version)}`}.`,
    )
  }
  return { node: path, nodeVersion: version, nodeMajor: Number.parseInt(version.slice(1), 10) }
}

/** The newest Node LTS, if `npm run setup` has installed it. @returns {Node | undefined} */
export function newestLts() {
  return existsSync(NEWEST_LTS) ? nodeAt(NEWEST_LTS) : undefined
}

/** The Node that the user has chosen, or else the newest LTS, or else this one. @param {string | undefined} path */
export function chosenNode(path) {
  if (path === undefined) return newestLts() ?? nodeAt(process.execPath)
  // The benchmarks start it in other folders. A name without a slash is searched in PATH.
  return nodeAt(path.includes('/') ? resolve(path) : path)
}
