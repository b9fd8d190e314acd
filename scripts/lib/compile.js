import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { root, UserError } from './run.js'

const CACHE = join(root, 'node_modules/.cache/fcgi-bridge')

// Nothing is fetched, and what is there is what builds.
const ENVIRONMENT = { ...process.env, GOTOOLCHAIN: 'local', GOPROXY: 'off', CGO_ENABLED: '0' }

/**
 * Builds a program of one file in Go or C, if that was not done before. Throws `UserError` with what the compiler says.
 * @param {string} source The path of the file.
 * @param {string[]} [libraries] What a C program is linked with, such as `-lfcgi`.
 * @returns {string} The path of the executable.
 */
export function compile(source, libraries = []) {
  const go = source.endsWith('.go')
  const version = go ? goVersion() : outputOf('cc', ['--version'])
  if (version === undefined) {
    throw new UserError(
      go ? 'There is no Go: apt-get install golang-go' : 'There is no C compiler: apt-get install gcc',
    )
  }
  const hash = createHash('sha256')
    .update(JSON.stringify([version, libraries]))
    .update(readFileSync(source))
  const executable = join(CACHE, hash.digest('hex').slice(0, 16))
  if (existsSync(executable)) return executable
  mkdirSync(CACHE, { recursive: true })
  // Several processes may build the same program at once.
  const built = `${executable}.${process.pid}`
  const { status, stderr } = go
    ? run('go', ['build', '-o', built, source])
    : run('cc', ['-O2', '-Wall', '-o', built, source, ...libraries])
  if (status !== 0) throw new UserError(`${source} does not build: ${stderr}`)
  renameSync(built, executable)
  return executable
}

/** `go1.19.8`, or undefined where there is none. */
export function goVersion() {
  return outputOf('go', ['env', 'GOVERSION'])
}

function outputOf(command, args) {
  const { error, stdout } = run(command, args)
  return error ? undefined : stdout.trim()
}

function run(command, args) {
  return spawnSync(command, args, { encoding: 'utf8', env: ENVIRONMENT })
}
