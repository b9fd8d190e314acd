import { unlinkSync } from 'node:fs'
import { codeOf } from '../listen/listen-error.ts'

/** Removes a file if it exists. rmSync would call lstat: on Node 20 and 22, an lstat of a socket breaks import() (see listen/stat.ts). */
export function unlinkIfExists(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
