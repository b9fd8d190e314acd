import { readFileSync } from 'node:fs'
import type { BundleSettings } from './runtime.ts'

/** What the file consists of. */
interface BundleParts {
  /** Node's path and flags, for the first line. */
  node: readonly string[]
  settings: Omit<BundleSettings, 'commentEnd'>
  /** The bundled app: a function expression, in ASCII. */
  source: string
  /** V8's code cache for `source`. */
  code: Buffer | undefined
  /** The name of the source map. */
  map: string | undefined
}

/** The text of the file. `source` begins after `headLines` lines. */
export interface BundleText {
  text: string
  headLines: number
}

/**
 * Builds the file: a program, and in comments the source and its code cache. V8 skips a comment much faster than it parses code, and with the
 * code cache it parses nothing. The source is in the file unchanged, so that the lines in stack traces are lines of this file.
 */
export function bundleText({ node, settings, source, code, map }: BundleParts): BundleText {
  const commentEnd = substituteFor(source)
  const program = readFileSync(new URL('../../init/bundle.cjs', import.meta.url), 'utf8')
    .replace(/^.*/, () => `#!/usr/bin/env -S NODE_ENV=production ${node.map(word).join(' ')}`)
    .replace(
      /^const SETTINGS = .*$/m,
      () => `const SETTINGS = ${JSON.stringify({ ...settings, commentEnd })}`,
    )
  const head = `${program}\n/* The app\n`
  const parts = [head, source.replaceAll('*/', commentEnd), '\n*/\n']
  if (code !== undefined) parts.push('\n/* The compiled code\n', code.toString('base64'), '\n*/\n')
  if (map !== undefined) parts.push(`//# sourceMappingURL=${encodeURI(map)}\n`)
  return { text: parts.join(''), headLines: head.split('\n').length - 1 }
}

// A text that does not occur in the source, to be written in the place of the end of a comment.
function substituteFor(source: string): string {
  let text = '*~/'
  while (source.includes(text)) text = text.replace('/', '~/')
  return text
}

// env -S splits at spaces, and interprets some characters in double quotes.
function word(text: string): string {
  return /^[\w./+~@=:-]+$/.test(text) ? text : `"${text.replace(/["\\$]/g, '\\$&')}"`
}

/** A source map for a text with `lines` lines before the one that the map describes. */
export function shiftedMap(map: string, lines: number): string {
  const parsed = JSON.parse(map)
  return JSON.stringify({ ...parsed, mappings: ';'.repeat(lines) + parsed.mappings })
}
