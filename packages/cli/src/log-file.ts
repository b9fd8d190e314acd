import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { EXIT } from './exit-codes.ts'
import { Failure } from './failure.ts'
import { addTimes, type LogStream } from './log-times.ts'

const MAX_BYTES = 10 * 1024 * 1024
const CHECK_MILLISECONDS = 1000

/** A standard stream that is a file: Node writes to the descriptor `fd` for each chunk. */
type FileOutput = NodeJS.WriteStream & { fd: number }

/**
 * Redirects this process's standard output and standard error to the end of a file. A CGI program keeps its standard output. Must run before anything uses
 * `process.stdout` or `process.stderr`, because Node picks the kind of stream at its first use. Node's own reports of a crash
 * go to the file, too.
 *
 * - A new file has mode 0600: a log can hold personal data, and a shared host has other users.
 * - A file over `maxBytes` (default 10 MiB) is renamed to `FILE.1`, replacing the one before, and a new one is begun.
 * - Each entry begins with its time (log-times.ts).
 * - A file that was removed or renamed (logrotate) is opened again within a second. Several processes can share one log file.
 *
 * Throws a Failure if the file cannot be opened.
 */
export function logToFile(file: string, maxBytes: number = MAX_BYTES): void {
  const path = resolve(file)
  // The lowest free descriptor is the one just closed.
  const replace = (fd: number): void => {
    closeSync(fd)
    openSync(path, 'a', 0o600)
  }
  // Fail before the streams are closed: the error must still reach them.
  closeSync(open(path))
  if (!isCgi()) replace(1)
  replace(2)
  addTimes(loggedStreams())
  let inode = statSync(path).ino
  const check = (): void => {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined && found.size > maxBytes) renameSync(path, `${path}.1`)
    else if (found?.ino === inode) return
    inode = reopen(path)
  }
  setInterval(() => {
    try {
      check()
    } catch {
      // The folder was removed, or is full. Keep writing to the old file, and try again.
    }
  }, CHECK_MILLISECONDS).unref()
}

// While descriptors 1 and 2 are replaced, another thread could get their numbers. Therefore they keep the old file, for Node's crash
// reports, and the streams write to a new descriptor.
function reopen(path: string): number {
  const fd = openSync(path, 'a', 0o600)
  const outputs = loggedStreams().map((name) => process[name]) as FileOutput[]
  const old = process.stderr.fd
  for (const output of outputs) output.fd = fd
  if (old > 2) closeSync(old)
  return statSync(path).ino
}

function loggedStreams(): LogStream[] {
  return isCgi() ? ['stderr'] : ['stdout', 'stderr']
}

// The standard output of a CGI program is its response.
function isCgi(): boolean {
  return process.env.GATEWAY_INTERFACE !== undefined
}

function open(path: string): number {
  try {
    return openInFolder(path)
  } catch (error) {
    const { message } = error as Error
    throw new Failure(
      EXIT.usage,
      `Cannot open the log file ${path}: ${message}. Name another one with --log-file.`,
      {
        cause: error,
      },
    )
  }
}

// The folder may be missing after a deployment, or because somebody emptied `tmp`.
function openInFolder(path: string): number {
  try {
    return openSync(path, 'a', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path))
    return openSync(path, 'a', 0o600)
  }
}
