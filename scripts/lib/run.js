import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The repository's root folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Something the user has to act on: printed without a stack trace. */
export class UserError extends Error {}

/**
 * Runs a program in the repository with the terminal's own streams, and returns whether it succeeded.
 * `options` are spawnSync's; one that runs out of its `timeout` has failed. A program that cannot be started is a `UserError`.
 */
export function run(command, args, options = {}) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error?.code === 'ETIMEDOUT') return false
  if (error) throw new UserError(`Cannot run ${command}: ${error.message}`)
  return status === 0
}

/** The JavaScript file behind an installed tool's command, to be run with any Node: `bin('typescript', 'bin/tsc')`. */
export function bin(packageName, file) {
  return `${root}node_modules/${packageName}/${file}`
}

/** Runs a script's main function: a `UserError` is its message alone, and any failure is exit code 1. */
export async function main(body) {
  try {
    await body()
  } catch (error) {
    console.error(error instanceof UserError ? `\n${error.message}` : error)
    process.exitCode = 1
  }
}
