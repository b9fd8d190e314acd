import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** An error that the user can fix. It is printed without a stack. */
export class UserError extends Error {}

/**
 * Runs a program in the repository's root folder with the terminal's own streams, and returns whether it succeeded. A program that
 * exceeds its `timeout` has failed. Throws a `UserError` if the program cannot be started.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  const error = /** @type {NodeJS.ErrnoException | undefined} */ (result.error)
  if (error?.code === 'ETIMEDOUT') return false
  if (error) throw new UserError(`Cannot run ${command}: ${error.message}`)
  return result.status === 0
}

/**
 * Like {@link run}, while this process does other things.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export async function runAsync(command, args, options = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options })
  try {
    const [code] = await once(child, 'close')
    return code === 0
  } catch (error) {
    throw new UserError(`Cannot run ${command}: ${error.message}`)
  }
}

/**
 * Runs a Node script in the repository's root folder while others run, and prints all of its output when it has ended. Resolves with
 * whether it succeeded.
 * @param {string} script
 * @param {string[]} args
 */
export async function runBuffered(script, ...args) {
  const { ok, output, errors } = await outputOf(script, args)
  process.stdout.write(output)
  process.stderr.write(errors)
  return ok
}

/**
 * Like {@link runBuffered}, but prints the output only if the script fails.
 * @param {string} script
 * @param {string[]} args
 */
export async function runQuietly(script, ...args) {
  const { ok, output, errors } = await outputOf(script, args)
  if (!ok) console.log(output + errors)
  return ok
}

async function outputOf(script, args) {
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { ok: code === 0, output, errors }
}

/** Returns the path of an installed tool's JavaScript file, such as `bin('typescript', 'bin/tsc')`, to run it under any Node. */
export function bin(packageName, file) {
  return `${root}node_modules/${packageName}/${file}`
}

/** Runs a script's main function. Prints only the message of a `UserError`. Sets exit code 1 after any failure. */
export async function main(body) {
  try {
    await body()
  } catch (error) {
    console.error(error instanceof UserError ? `\n${error.message}` : error)
    process.exitCode = 1
  }
}
