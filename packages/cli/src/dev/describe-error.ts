import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { withoutInnerFrames } from '../app/load-module.ts'

/** An error as its author wants to see it. */
export interface DescribedError {
  /** Its first line. */
  message: string
  /** Without the lines of Node itself. */
  stack: string
  /** The lines of the app's code around the place where it was thrown, numbered, that one marked; `''` if there is none. */
  frame: string
}

// Lines above and below.
const AROUND = 3

/** Describes whatever was thrown. */
export function describeError(error: unknown): DescribedError {
  const stack = withoutInnerFrames(error instanceof Error ? inspect(error) : `${inspect(error)} was thrown.`)
  return { message: stack.split('\n', 1)[0]!, stack, frame: frameOf(stack) }
}

/** The code around the first place that a stack, or the end of a program, names in the app's own files: not in a package. */
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
    // A minified file has lines without end.
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
