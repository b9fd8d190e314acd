import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set()

/** Creates a temporary folder. If {@link removeFolder} has not removed it when the process exits, at SIGINT or SIGTERM too, it is removed then. */
export function makeFolder() {
  if (folders.size === 0) removeAllAtExit()
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-bench-'))
  folders.add(folder)
  return folder
}

/** @param {string} folder */
export function removeFolder(folder) {
  folders.delete(folder)
  rmSync(folder, { recursive: true, force: true })
}

let removesAtExit = false

function removeAllAtExit() {
  if (removesAtExit) return
  removesAtExit = true
  process.once('exit', () => {
    for (const folder of folders) removeFolder(folder)
  })
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
}
