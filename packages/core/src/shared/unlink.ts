import { unlinkSync } from 'node:fs'
import { codeOf } from '../listen/listen-error.ts'

/** Removes a file if it exists. Unlike rmSync, it does not call lstat for a socket, which breaks import() in Node 20 (see listen/stat.ts). */
export function unlinkIfExists(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
