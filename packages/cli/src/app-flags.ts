import { type Command, Option } from 'commander'

/**
 * Adds the app's module as argument, and the flags that say what in it the app is. `argument` is `[app]` where there may be
 * none.
 */
export function addAppFlags(command: Command, argument: '<app>' | '[app]' = '<app>'): Command {
  return command
    .argument(argument, 'the module that exports the app: an Express app, a listener, { fetch }, a function')
    .addOption(
      new Option('--as <kind>', 'what a function is, where it does not say so itself').choices([
        'listener',
        'fetch',
      ]),
    )
    .option('--export <name>', 'the export that is the app (default: the default export)')
}
