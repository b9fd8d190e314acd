import type { PoolCommand } from '@fcgi-bridge/pool'
import { type Command, Option } from 'commander'
import type { ControlFlags } from '../pool/control.ts'

const COMMANDS: readonly [PoolCommand['command'], string, string][] = [
  [
    'reload',
    'replace the workers of a running pool, and wait until the new ones serve',
    `
No request is lost. Exit status: 0 if all new workers serve, 1 if one of them failed. The old workers then keep running. kill -HUP does the
same without waiting.`,
  ],
  ['status', 'show the workers of a running pool', ''],
  ['stop', 'stop a running pool, and wait until its requests have finished', ''],
]

/** Adds `fcgi-bridge reload`, `status` and `stop`, which control a pool that `fcgi-bridge serve --workers` runs. */
export function addControl(program: Command): void {
  for (const [name, description, help] of COMMANDS) {
    program
      .command(name)
      .description(description)
      .addOption(
        new Option(
          '--control <socket>',
          "the pool's control socket (default: the one in systemd's RUNTIME_DIRECTORY)",
        ).env('FCGI_BRIDGE_CONTROL'),
      )
      .option('--wait', 'wait until the command has finished (the default)')
      .option('--json', 'print the result as JSON')
      .addHelpText('after', help)
      .action(async (flags: ControlFlags) => {
        // Loaded on use, so that other commands start faster.
        const { control } = await import('../pool/control.ts')
        await control(name, flags)
      })
  }
}
