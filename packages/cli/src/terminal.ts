import { styleText } from 'node:util'

/** A colour or another style that Node's `styleText` knows. */
export type Style = Parameters<typeof styleText>[0]

/** Where a command prints. `process.stdout` and `process.stderr` implement it; a test may pass an object with `write` only. */
export interface Output {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Colours text for one output. Returns the text unchanged if the output shows no colours. */
export type Paint = (style: Style, text: string) => string

/**
 * Returns a function that colours text if `output` is a terminal. `NO_COLOR` (https://no-color.org) turns colours off.
 * `FORCE_COLOR` turns them on, or off with `0`, and overrides `NO_COLOR`. A `dumb` terminal has no colours.
 */
export function painter(output: Output, env: NodeJS.ProcessEnv = process.env): Paint {
  return hasColors(output, env)
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_, text) => text
}

function hasColors(output: Output, env: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: terminal } = env
  if (force !== undefined) return force !== '0' && force !== 'false'
  return output.isTTY === true && !no && terminal !== 'dumb'
}

/** Prints a value for `--json`: one document on one line, so that a script can read several in turn. */
export function printJson(value: unknown, output: Output = process.stdout): void {
  output.write(`${JSON.stringify(value)}\n`)
}

/** Escapes control characters, such as `\x1b`, so that foreign text cannot control the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are matched on purpose
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
