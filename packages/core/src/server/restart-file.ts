import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { FastCgiServer } from './server.ts'

// Milliseconds between two checks. Each process of the app checks the files, because front servers can run several of them, on several machines.
const INTERVAL = 500

/** Returns the files whose change restarts a program that a front server started. */
export function defaultRestartFiles(): string[] {
  const program = process.argv[1]
  if (program === undefined) return []
  const folder = dirname(program)
  return [join(folder, 'tmp/restart.txt'), join(folder, 'restart.txt')]
}

/**
 * Until `server` has closed, calls `restart` once when one of `files` is written, touched or created. Relative paths are resolved now,
 * because the program may change its working directory later. A missing or removed file has no effect.
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
    // The folder can no longer be read, or a file has replaced it.
    return undefined
  }
}
