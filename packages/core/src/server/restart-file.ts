import { type Stats, unwatchFile, watchFile } from 'node:fs'
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

/**
 * Calls `onChange` whenever one of `files` is written, touched or created, and returns a function that stops this. Relative paths are
 * resolved now, because the program may change its working directory later. A missing or removed file has no effect. Watching does not
 * keep the process alive.
 */
export function watchRestartFiles(files: readonly string[], onChange: () => void): () => void {
  const paths = files.map((file) => resolve(file))
  const compare = (now: Stats, before: Stats): void => {
    // The time of a file that does not exist is 0.
    if (now.mtimeMs !== before.mtimeMs && now.mtimeMs !== 0) onChange()
  }
  for (const path of paths) watchFile(path, { interval: INTERVAL, persistent: false }, compare)
  return () => {
    for (const path of paths) unwatchFile(path, compare)
  }
}
