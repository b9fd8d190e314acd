import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { root, UserError } from './run.js'

const CACHE = join(root, 'node_modules/.cache/fcgi-bridge')

// Build with the installed toolchain, without downloads.
const ENVIRONMENT = { ...process.env, GOTOOLCHAIN: 'local', GOPROXY: 'off', CGO_ENABLED: '0' }

/**
 * Builds a program from one Go or C file, unless it has been built before. Throws a `UserError` with the compiler's output.
 * @param {string} source The path of the file.
 * @param {string[]} [libraries] Linker flags of a C program, such as `-lfcgi`.
 * @returns {string} The path of the executable.
 */
export function compile(source, libraries = []) {
  const go = source.endsWith('.go')
  const version = go ? goVersion() : outputOf('cc', ['--version'])
  if (version === undefined) {
    throw new UserError(
      go
        ? 'Go is not installed. Run: apt-get install golang-go'
        : 'No C compiler is installed. Run: apt-get install gcc',
    )
  }
  const hash = createHash('sha256')
    .update(JSON.stringify([version, libraries]))
    .update(readFileSync(source))
  const executable = join(CACHE, hash.digest('hex').slice(0, 16))
  if (existsSync(executable)) return executable
  mkdirSync(CACHE, { recursive: true })
  // Several processes may build the same program at the same time.
  const built = `${executable}.${process.pid}`
  const { status, stderr } = go
    ? run('go', ['build', '-o', built, source])
    : run('cc', ['-O2', '-Wall', '-o', built, source, ...libraries])
  if (status !== 0) throw new UserError(`${source} does not build: ${stderr}`)
  renameSync(built, executable)
  return executable
}

/** The version of Go, such as `go1.19.8`. Undefined if Go is not installed. */
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
