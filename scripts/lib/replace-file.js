import { renameSync, writeFileSync } from 'node:fs'

/** Replaces a file in one step, so that no program reads half of it. @param {string} path @param {string} text */
export function replaceFile(path, text) {
  const written = `${path}.${process.pid}`
  writeFileSync(written, text)
  renameSync(written, path)
}
