import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { FastCgiServer } from './server.ts'

// Milliseconds. Each process of the app looks by itself, because a front server may run several, on several machines.
const INTERVAL = 500

/** The files whose change restarts a program that a front server started. */
export function defaultRestartFiles(): string[] {
  const program = process.argv[1]
  if (program === undefined) return []
  const folder = dirname(program)
  return [join(folder, 'tmp/restart.txt'), join(folder, 'restart.txt')]
}

/**
 * Calls `restart` once when one of `files` is written, touched or created, until `server` has closed. Relative paths are resolved now,
 * because the program may change its working directory later. A file that does not exist, or that is removed, changes nothing.
 */
export function watchRestartFiles(
  server: FastCgiServer,
  files: readonly string[],
  restart: () => void,
): void {
  if (files.length === 0) return
  const watched = files.map((file) => resolve(file)).map((file) => ({ file, time: timeOf(file) }))
  const timer = setInterval(() => {
    const isChanged = watched.some(({ file, time }) => {
      const now = timeOf(file)
      return now !== undefined && now !== time
    })
    if (!isChanged) return
    clearInterval(timer)
    restart()
  }, INTERVAL).unref()
  server.once('close', () => clearInterval(timer))
}

function timeOf(file: string): number | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false })?.mtimeMs
  } catch {
    // The folder cannot be read any more, or a file is in the place of a folder.
    return undefined
  }
}
