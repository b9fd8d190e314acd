import { endProgram } from './end-program.ts'
import { EXIT } from './exit-codes.ts'
import { run } from './run.ts'

/** Runs one command line as the program `fcgi-bridge`, and exits if it has failed. */
export async function runCommand(args: readonly string[]): Promise<void> {
  // A closed pipe is not an error: `fcgi-bridge config nginx | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    throw error
  })
  const status = await run(args)
  // A command that serves keeps running. Its exit status is already set.
  process.exitCode = status
  if (status !== EXIT.ok) await endProgram(status)
}
