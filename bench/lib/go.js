import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../scripts/lib/run.js'

const CACHE = fileURLToPath(new URL('../node_modules/.cache', import.meta.url))

/**
 * Builds a Go program, if that was not done before.
 * @param {string} source The path of its one file.
 * @returns {string} The path of the executable.
 */
export function buildGo(source) {
  const version = goVersion()
  if (version === undefined) throw new UserError('There is no Go: apt-get install golang-go')
  const hash = createHash('sha256').update(version).update(readFileSync(source)).digest('hex').slice(0, 16)
  const executable = join(CACHE, `go-${hash}`)
  mkdirSync(CACHE, { recursive: true })
  // Go's own cache makes this quick the second time.
  const { status, stderr } = spawnSync('go', ['build', '-o', executable, source], { encoding: 'utf8' })
  if (status !== 0) throw new UserError(`Go does not build ${source}: ${stderr}`)
  return executable
}

/** `go1.19.8`, or undefined where there is none. */
export function goVersion() {
  const { error, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' })
  return error ? undefined : stdout.trim()
}
