import { endProgram } from './end-program.ts'
import { EXIT } from './exit-codes.ts'
import { endAtClosedOutput } from './output-errors.ts'
import { run } from './run.ts'

/** Runs one command line as the program `fcgi-bridge`, and exits if it has failed. */
export async function runCommand(args: readonly string[]): Promise<void> {
  endAtClosedOutput()
  const status = await run(args)
  // A command that serves keeps running. Its exit status is already set.
  process.exitCode = status
  if (status !== EXIT.ok) await endProgram(status)
}
