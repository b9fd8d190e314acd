import { Command } from 'commander'
import { ownVersion } from './app/own-package.ts'
import { addBundle } from './commands/bundle.ts'
import { addConfig } from './commands/config.ts'
import { addConformance } from './commands/conformance.ts'
import { addControl } from './commands/control.ts'
import { addDev } from './commands/dev.ts'
import { addDoctor } from './commands/doctor.ts'
import { addInit } from './commands/init.ts'
import { addPing } from './commands/ping.ts'
import { addRequest } from './commands/request.ts'
import { addRun } from './commands/run.ts'
import { addServe } from './commands/serve.ts'
import { EXIT_HELP } from './exit-codes.ts'
import { type Output, painter } from './terminal.ts'

/**
 * Builds the program `fcgi-bridge` with all its commands. Each file in `commands/` exports one function that adds a command. A
 * command that fails throws a `Failure`.
 */
export function buildProgram(stdout: Output = process.stdout, stderr: Output = process.stderr): Command {
  const paint = painter(stdout)
  const program = new Command('fcgi-bridge')
    .description('Serve, develop, configure and examine FastCGI apps.')
    .version(ownVersion())
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see the arguments and options)')
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      // Override commander's own check of the terminal, so that only terminal.ts reads NO_COLOR and FORCE_COLOR.
      getOutHasColors: () => paint('red', '') !== '',
    })
    .configureHelp({ styleTitle: (title) => paint('bold', title) })
    .addHelpText('after', EXIT_HELP)
  addServe(program)
  addRun(program)
  addControl(program)
  addDev(program)
  addConfig(program, stdout)
  addInit(program, stdout)
  addBundle(program, stdout)
  addDoctor(program, stdout)
  addPing(program)
  addRequest(program)
  addConformance(program)
  for (const command of program.commands) command.configureHelp(program.configureHelp())
  return program
}
