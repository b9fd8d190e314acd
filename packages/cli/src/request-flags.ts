import { type Command, InvalidArgumentError, Option } from 'commander'

/** The values of the flags that {@link addRequestFlags} adds. */
export interface RequestFlags {
  /** [name, value, name, value…] */
  header: string[]
  params: Record<string, string>
  /** Milliseconds. */
  timeout: number
}

/** Adds the flags for one request to an app: headers, params and a timeout. `seconds` is the default timeout. */
export function addRequestFlags(command: Command, seconds: number): Command {
  addHeaderFlag(command).addOption(
    new Option('--params <name=value...>', 'params to add or replace; NAME= sets an empty value')
      .argParser(collectParam)
      .default({}, 'none'),
  )
  return addTimeoutFlag(command, seconds)
}

/** Adds the flag for request headers. Its value is [name, value, name, value…]. */
export function addHeaderFlag(command: Command): Command {
  return command.addOption(
    new Option('-H, --header <header>', "a request header, 'Name: value'; may be repeated")
      .argParser(collectHeader)
      .default([], 'none'),
  )
}

/** Adds the flag for the timeout. Its value is in milliseconds; `seconds` is the default. */
export function addTimeoutFlag(command: Command, seconds: number): Command {
  return command.addOption(
    new Option('--timeout <seconds>', 'how long to wait for a response to begin; 0 for no limit')
      .argParser(parseSeconds)
      .default(seconds * 1000, String(seconds)),
  )
}

function collectHeader(text: string, before: string[]): string[] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError("It takes 'Name: value'.")
  return [...before, name, Buffer.from(value!, 'utf8').toString('latin1')]
}

/** Adds one value of `--params` to those before it. Throws InvalidArgumentError if it is not `NAME=VALUE`. */
export function collectParam(text: string, before: Record<string, string>): Record<string, string> {
  const equals = text.indexOf('=')
  if (equals < 1)
    throw new InvalidArgumentError('It takes NAME=VALUE. Arguments that are not params go before --params.')
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) }
}

/** Parses a number of seconds and returns milliseconds. Throws InvalidArgumentError if it is not a number. */
export function parseSeconds(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It takes a number of seconds.')
  return Math.ceil(Number(text) * 1000)
}

/** Parses a path with its query, as the target of a request. Throws InvalidArgumentError if it does not begin with a slash. */
export function parseTarget(text: string): string {
  // Send text as percent-encoded UTF-8, and do not encode an existing percent-encoding again.
  const target = encodeURI(text).replaceAll('%25', '%')
  if (!/^\/[^\s#]*$/.test(target)) throw new InvalidArgumentError('It takes a path such as /health?x=1.')
  return target
}

/** Parses a mount and removes slashes at its end: `''` for the root. Throws InvalidArgumentError if it is not a path. */
export function parseMountPath(text: string): string {
  if (!/^\/[^?#\s]*$/.test(text)) throw new InvalidArgumentError('It takes a path such as /shop.')
  return text.replace(/\/+$/, '')
}
