import { type Command, InvalidArgumentError, Option } from 'commander'

/** What the flags of {@link addRequestFlags} say of a request to an app. */
export interface RequestFlags {
  /** [name, value, name, value…] */
  header: string[]
  params: Record<string, string>
  /** Milliseconds. */
  timeout: number
}

/** Adds the flags for one request to an app: headers, params, and how long to wait for an answer. */
export function addRequestFlags(command: Command, seconds: number): Command {
  addHeaderFlag(command).addOption(
    new Option('--params <name=value...>', 'params to add or replace; NAME= is an empty one')
      .argParser(collectParam)
      .default({}, 'none'),
  )
  return addTimeoutFlag(command, seconds)
}

/** Adds the flag for headers: [name, value, name, value…]. */
export function addHeaderFlag(command: Command): Command {
  return command.addOption(
    new Option('-H, --header <header>', "a request header, 'Name: value'; may be repeated")
      .argParser(collectHeader)
      .default([], 'none'),
  )
}

/** Adds the flag for the time to wait, in milliseconds; `seconds` is the default. */
export function addTimeoutFlag(command: Command, seconds: number): Command {
  return command.addOption(
    new Option('--timeout <seconds>', 'how long to wait for an answer to begin; 0 is no limit')
      .argParser(parseSeconds)
      .default(seconds * 1000, String(seconds)),
  )
}

function collectHeader(text: string, before: string[]): string[] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError("It takes 'Name: value'.")
  return [...before, name, Buffer.from(value!, 'utf8').toString('latin1')]
}

/** Reads one more of `--params`. */
export function collectParam(text: string, before: Record<string, string>): Record<string, string> {
  const equals = text.indexOf('=')
  if (equals < 1)
    throw new InvalidArgumentError('It takes NAME=VALUE; what is no param goes before --params.')
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) }
}

/** Reads a number of seconds, as milliseconds. */
export function parseSeconds(text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It takes a number of seconds.')
  return Math.ceil(Number(text) * 1000)
}

/** A path with its query, as a request is for. */
export function parseTarget(text: string): string {
  // Text travels as UTF-8, percent-encoded; what is encoded already stays.
  const target = encodeURI(text).replaceAll('%25', '%')
  if (!/^\/[^\s#]*$/.test(target)) throw new InvalidArgumentError('It takes a path such as /health?x=1.')
  return target
}

/** A mount of the command line, `''` for the root: without a slash at its end. */
export function parseMountPath(text: string): string {
  if (!/^\/[^?#\s]*$/.test(text)) throw new InvalidArgumentError('It takes a path such as /shop.')
  return text.replace(/\/+$/, '')
}
