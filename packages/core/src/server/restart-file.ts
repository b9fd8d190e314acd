import { type Stats, statSync, unwatchFile, watchFile } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

// Milliseconds between two checks. Each process of the app checks the files, because front servers can run several of them, on several
// machines. fs.watch() would not notice a change on a network file system.
const INTERVAL = 500

/** Returns the files in an app's folder whose change restarts the app, as with Passenger. */
export function restartFilesIn(folder: string): string[] {
  return [join(folder, 'tmp/restart.txt'), join(folder, 'restart.txt')]
}

/** Returns the files whose change restarts a program that a front server started. */
export function defaultRestartFiles(): string[] {
  const program = process.argv[1]
  return program === undefined ? [] : restartFilesIn(dirname(program))
}

// When each file was last written, before the app was loaded: milliseconds, 0 for a missing file.
const remembered = new Map<string, number>()

/**
 * Makes later calls of {@link watchRestartFiles} notice a change of one of `files` that happens from now on. Call it before the app is
 * loaded: a process that has loaded the old code must restart, too.
 */
export function rememberRestartFiles(files: readonly string[]): void {
  for (const path of files.map((file) => resolve(file))) remembered.set(path, timeOf(path))
}

/**
 * Calls `onChange` whenever one of `files` is written, touched or created, and returns a function that stops this. If that happened after
 * {@link rememberRestartFiles}, the first call follows soon after this function has returned. Relative paths are resolved now, because the
 * program may change its working directory later. A missing or removed file has no effect. Watching does not keep the process alive.
 */
export function watchRestartFiles(files: readonly string[], onChange: () => void): () => void {
  const paths = files.map((file) => resolve(file))
  const compare = (now: Stats, before: Stats): void => {
    // The time of a file that does not exist is 0.
    if (now.mtimeMs !== before.mtimeMs && now.mtimeMs !== 0) onChange()
  }
  for (const path of paths) watchFile(path, { interval: INTERVAL, persistent: false }, compare)
  const first = paths.some(hasChanged) ? setImmediate(onChange) : undefined
  return () => {
    clearImmediate(first)
    for (const path of paths) unwatchFile(path, compare)
  }
}

function hasChanged(path: string): boolean {
  const before = remembered.get(path)
  const now = before === undefined ? 0 : timeOf(path)
  return now !== 0 && now !== before
}

function timeOf(path: string): number {
  try {
    return statSync(path).mtimeMs
  } catch {
    return 0
  }
}
