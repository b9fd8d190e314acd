import { CommanderError } from 'commander'
import { UnplacedSyntaxError } from './app/load-module.ts'
import { EXIT } from './exit-codes.ts'
import { tell, Verdict } from './failure.ts'
import { buildProgram } from './program.ts'
import { type Output, painter, printJson } from './terminal.ts'

/**
 * Runs one command line, without the names of Node and the program. Settles with the exit status; never rejects: an error is
 * printed on `stderr`, or with `--json` as `{ "error": { "message", "code" } }` on `stdout`.
 */
export async function run(
  args: readonly string[],
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
): Promise<number> {
  const program = buildProgram(stdout, stderr)
  try {
    await program.parseAsync(args, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    // commander has printed it.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    if (error instanceof Verdict) return error.exitCode
    const told = tell(error)
    if (wantsJson(args)) printJson(told.json, stdout)
    else stderr.write(`${painter(stderr)('red', 'fcgi-bridge:')} ${told.text}\n`)
    if (error instanceof UnplacedSyntaxError && !wantsJson(args)) error.endProgram()
    return told.exitCode
  }
}

// Behind `--` it is the app's.
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end < 0 ? args : args.slice(0, end)).includes('--json')
}
