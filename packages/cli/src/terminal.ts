import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

/** Where a command prints to. `process.stdout` and `process.stderr` are such; a test may give less. */
export interface Output {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Colours text for one output; gives it back as it is where that shows no colours. */
export type Paint = (style: Style, text: string) => string

/**
 * Colours on a terminal alone. `NO_COLOR` (https://no-color.org) turns them off, `FORCE_COLOR` on, or with `0` off; it wins. A
 * `dumb` terminal has none.
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

/** Prints a value for `--json`: one document on one line, so that several can follow each other. */
export function printJson(value: unknown, output: Output = process.stdout): void {
  output.write(`${JSON.stringify(value)}\n`)
}

/** Leaves what others write in a terminal without power over it: control characters become `\x1b` and the like. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
