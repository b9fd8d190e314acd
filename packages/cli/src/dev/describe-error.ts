import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { withoutInnerFrames } from '../app/load-module.ts'

/** An error as the app's author needs it. */
export interface DescribedError {
  /** The first line of the stack. */
  message: string
  /** The stack without frames of Node and of fcgi-bridge. */
  stack: string
  /** The app's code around the line that threw, numbered, with that line marked. `''` if there is none. */
  frame: string
}

// How many lines the frame shows above and below.
const AROUND = 3

/** Describes any thrown value. */
export function describeError(error: unknown): DescribedError {
  const stack = withoutInnerFrames(error instanceof Error ? inspect(error) : `${inspect(error)} was thrown.`)
  return { message: stack.split('\n', 1)[0]!, stack, frame: frameOf(stack) }
}

/** Returns the code around the first line in the app's own files, not in packages, that a stack or a program's last output names. */
export function frameOf(stack: string): string {
  for (const [, url, path, line, column] of stack.matchAll(
    /^(?:\s+at .*?)?(?:(file:\/\/[^\s)]+?)|\(?(\/[^\s)]+?)):(\d+)(?::(\d+))?\)?$/gm,
  )) {
    const file = url === undefined ? path! : fileURLToPath(url)
    if (file.includes('/node_modules/')) continue
    const lines = readLines(file)
    if (lines !== undefined) return codeFrame(lines, Number(line), Number(column ?? 0))
  }
  return ''
}

function codeFrame(lines: readonly string[], line: number, column: number): string {
  const first = Math.max(1, line - AROUND)
  const last = Math.min(lines.length, line + AROUND)
  const width = String(last).length
  const frame: string[] = []
  for (let number = first; number <= last; number++) {
    // Minified files have very long lines.
    const text = lines[number - 1]!.slice(0, 200)
    frame.push(`${number === line ? '>' : ' '} ${String(number).padStart(width)} | ${text}`)
    if (number === line && column > 0)
      frame.push(`${' '.repeat(width + 3)}| ${' '.repeat(Math.min(column, 200) - 1)}^`)
  }
  return frame.join('\n')
}

function readLines(file: string): string[] | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return undefined
  }
}
