import { readFileSync } from 'node:fs'
import { Command } from 'commander'

/** The command `fcgi-bridge` with all that it can do; each command is a file in `commands/`. */
export function buildProgram(): Command {
  const program = new Command('fcgi-bridge')
    .description('Serve, develop, configure and examine FastCGI apps.')
    .version(version())
  return program
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}
