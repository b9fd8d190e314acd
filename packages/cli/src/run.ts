import { CommanderError } from 'commander'
import { reportFailure } from './app/detach.ts'
import { SyntaxErrorWithoutLocation } from './app/load-module.ts'
import { EXIT } from './exit-codes.ts'
import { reportError, Verdict } from './failure.ts'
import { buildProgram } from './program.ts'
import { type Output, painter, printJson } from './terminal.ts'

/**
 * Runs one command line. `args` does not include the paths of Node and of the program. Resolves with the exit status and never
 * rejects: an error is printed on `stderr`, or with `--json` as `{ "error": { "message", "code" } }` on `stdout`.
 */
export async function run(
  args: readonly string[],
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
): Promise<number> {
  const json = wantsJson(args)
  // With --json, drop commander's own text about a wrong command line: the JSON on stdout reports it.
  const program = buildProgram(stdout, json ? { write: () => true } : stderr)
  try {
    await program.parseAsync(args, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok
      const { code, message } = error
      if (json) printJson({ error: { message: message.replace(/^error: /, ''), code } }, stdout)
      return EXIT.usage
    }
    if (error instanceof Verdict) return error.exitCode
    const report = reportError(error)
    reportFailure(report)
    if (json) printJson(report.json, stdout)
    else stderr.write(`${painter(stderr)('red', 'fcgi-bridge:')} ${report.text}\n`)
    if (error instanceof SyntaxErrorWithoutLocation && !json) error.endProgram()
    return report.exitCode
  }
}

// A --json after `--` is an argument of the app.
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end < 0 ? args : args.slice(0, end)).includes('--json')
}
