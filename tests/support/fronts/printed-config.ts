import { run } from '../../../packages/cli/src/run.ts'
import { COMMAND_LINE, installCommandLine } from './command-line.ts'
import type { PrintedConfig } from './configured.ts'
import type { Site } from './site.ts'

// The program in configs in which the server starts the app.
process.argv[1] = COMMAND_LINE

/**
 * Runs `fcgi-bridge config … --json` in this process, and resolves with what it prints. Rejects with its error message. Without the flag
 * `--no-check` it loads the app in another process, which takes most of the time.
 */
export async function printConfig(...words: readonly string[]): Promise<PrintedConfig> {
  let text = ''
  const output = { write: (piece: string) => (text += piece) }
  const status = await run(['config', ...words, '--json'], output, output)
  if (status !== 0) throw new Error(text)
  return JSON.parse(text)
}

/** Starts an app with the command of a printed config, if it has one. Resolves when the app listens. */
export async function startPrinted(
  site: Site,
  { app }: PrintedConfig,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (app === undefined) return
  const env = { PATH: `${installCommandLine(site)}:/usr/bin:/bin`, ...variables }
  const program = site.start(`${site.path('bin')}/${app[0]}`, app.slice(1), { env })
  await program.printed(/^Serving/m)
}
