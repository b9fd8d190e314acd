import { relative, sep } from 'node:path'

/** The path of a file relative to a folder, with slashes. */
export function relativePath(folder: string, file: string): string {
  return relative(folder, file).replaceAll(sep, '/') || '.'
}
