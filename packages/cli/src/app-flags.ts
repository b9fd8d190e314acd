import { type Command, Option } from 'commander'

/**
 * Adds the app's module as an argument, and the flags that select the app in it. `argument` is `[app]` if the module is
 * optional.
 */
export function addAppFlags(command: Command, argument: '<app>' | '[app]' = '<app>'): Command {
  return command
    .argument(
      argument,
      'the module that exports the app (an Express app, a listener, { fetch }, a function), or that listens itself',
    )
    .addOption(
      new Option('--as <kind>', 'how to call an exported function, if its parameters do not show it').choices(
        ['listener', 'fetch'],
      ),
    )
    .option('--export <name>', 'the export that is the app (default: the default export)')
}
