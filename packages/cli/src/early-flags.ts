// Flags of `serve` that take effect before commander is loaded: the log file must be open before anything uses the standard streams, and a
// process that relays must not load what it does not need.

/** The value of `--log-file` in the arguments of `serve`, or undefined. */
export function logFileOf(args: readonly string[]): string | undefined {
  return flagValue(args, '--log-file')
}

/** The folder that `--shared` names in the arguments of `serve`. Undefined if it names none: the folder then depends on the app. */
export function sharedFolderOf(args: readonly string[]): string | undefined {
  const folder = flagValue(args, '--shared')
  return folder?.startsWith('-') ? undefined : folder
}

/** The file that the front server runs: the value of `--program` in the arguments of `serve`, or undefined. */
export function programOf(args: readonly string[]): string | undefined {
  return flagValue(args, '--program')
}

function flagValue(args: readonly string[], flag: string): string | undefined {
  if (args[0] !== 'serve') return undefined
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  const index = own.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`))
  if (index < 0) return undefined
  return own[index] === flag ? own[index + 1] : own[index]!.slice(flag.length + 1)
}
