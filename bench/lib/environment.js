import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { goVersion } from '../../scripts/lib/compile.js'
import { root } from '../../scripts/lib/run.js'
import { nginxVersion } from './nginx.js'

/**
 * @typedef {object} Environment The machine and the versions of a run.
 * @property {string} date ISO 8601.
 * @property {string} commit With a `+` at its end if files were changed.
 * @property {string} cpu
 * @property {number} cores
 * @property {number} memory Bytes.
 * @property {string} system
 * @property {number} load The load average of the minute before the run.
 * @property {import('./side.js').Pace} pace
 * @property {Record<string, string | undefined>} versions
 */

/** @param {import('./side.js').Pace} pace @returns {Environment} */
export function environment(pace) {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: totalmem(),
    system: `${distribution()}, Linux ${release()}`,
    load: loadavg()[0],
    pace,
    versions: {
      express: packageVersion('express'),
      express4: packageVersion('express4'),
      hono: packageVersion('hono'),
      '@hono/node-server': packageVersion('@hono/node-server'),
      'node-fastcgi': packageVersion('node-fastcgi'),
      nginx: nginxVersion(),
      go: goVersion(),
    },
  }
}

function commit() {
  const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''
  return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
}

function distribution() {
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown system'
}

function packageVersion(name) {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
