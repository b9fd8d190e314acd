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
 * Runs a Node script in the repository's root folder while others run, and prints all of its output when it has ended. Resolves with
 * whether it succeeded.
 * @param {string} script
 * @param {string[]} args
 */
export async function runBuffered(script, ...args) {
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const [output, errors, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  process.stdout.write(output)
  process.stderr.write(errors)
  return code === 0
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
