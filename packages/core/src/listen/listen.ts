import cluster from 'node:cluster'
import { once } from 'node:events'
import { chmodSync, existsSync, renameSync, type Stats, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { checkOptions, LISTEN_OPTION_NAMES } from './check-options.ts'
import type { ListenOptions } from './listen-options.ts'
import { lstatSocket } from './stat.ts'

/** Closes a listener; settles when it and its connections are closed. */
export type CloseListener = () => Promise<void>

// sizeof(sockaddr_un.sun_path) without the NUL that ends it: unix(7); 104 bytes on macOS and the BSDs.
const PATH_BYTES_MAX = process.platform === 'linux' ? 107 : 103

/** Milliseconds between two looks at whether the file of a Unix socket is still there. */
const LOOK_EVERY = 5000

/**
 * Makes `server` listen, and returns what closes it. Rejects with a TypeError or a RangeError for options that contradict
 * each other or are out of range; else with an Error that has the system's `code`. Its message says what to do. Nothing
 * is left listening after a rejection.
 */
export async function listenOn(server: Server, options: ListenOptions): Promise<CloseListener> {
  checkOptions(options, LISTEN_OPTION_NAMES)
  const { path, port, host, mode, fd } = options
  checkPlace(options)
  if (path !== undefined) return listenOnPath(server, path, mode ?? 0o660)
  if (fd !== undefined) {
    await explain(
      listening(server, () => server.listen({ fd })),
      `file descriptor ${fd}`,
    )
  } else {
    const address = host ?? '127.0.0.1'
    await explain(
      listening(server, () => server.listen({ port, host: address })),
      `${address}:${port}`,
    )
  }
  return () => close(server)
}

// The types refuse most of this; a JavaScript program, or an option of type any, gets here.
function checkPlace({ path, port, host, mode, fd }: ListenOptions): void {
  if ([path, port, fd].filter((given) => given !== undefined).length !== 1) {
    throw new TypeError('Say one place to listen: { path }, { port } or { fd }.')
  }
  if (host !== undefined && port === undefined) throw new TypeError('The option host needs the option port.')
  if (mode !== undefined && path === undefined) {
    throw new TypeError('The option mode is the mode of a Unix socket; it needs the option path.')
  }
  if (mode !== undefined) checkMode(mode)
  if (path !== undefined) checkPath(path)
  // Node takes null for a free port.
  if (port === null) throw new TypeError('The option port is null; it takes a number from 0 to 65535.')
}

/** Throws a RangeError for a mode that no socket's file can have, such as 660 in place of 0o660. */
export function checkMode(mode: unknown): void {
  if (typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return
  const octal = /^(?:0o?)?([0-7]{1,3})$/.exec(String(mode))?.[1]
  const hint = octal === undefined ? '' : ` Write 0o${octal}.`
  throw new RangeError(
    `The option mode is ${JSON.stringify(mode)}; it takes an integer from 0 to 0o777.${hint}`,
  )
}

function checkPath(path: string): void {
  if (typeof path !== 'string' || path === '') {
    throw new TypeError(`The option path is ${JSON.stringify(path)}; it takes the path of a Unix socket.`)
  }
  // An abstract socket (unix(7)) has no file, so no mode could keep other users of the machine out.
  if (path.includes('\0')) {
    throw new TypeError(
      `The option path is ${JSON.stringify(path)}; it takes a path without NUL. Abstract sockets are not supported: every user of the machine could connect.`,
    )
  }
  const bytes = Buffer.byteLength(path)
  // Node 20 cuts a longer path, and listens at what is left of it.
  if (bytes > PATH_BYTES_MAX) {
    throw withCode(
      'ENAMETOOLONG',
      `ENAMETOOLONG: cannot listen on ${path}: the path has ${bytes} bytes, and that of a Unix socket has at most ${PATH_BYTES_MAX}. Choose a shorter path.`,
    )
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

async function listenOnPath(server: Server, path: string, mode: number): Promise<CloseListener> {
  const bind = (): Promise<void> => listening(server, () => bindWithMode(server, path, mode))
  try {
    await bind()
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') {
      // Node says EACCES of a folder that is not there, too.
      const reason = existsSync(dirname(path)) ? error : withCode('ENOENT', 'no such folder')
      await explain(Promise.reject(reason), path)
    }
    await removeStale(path)
    await explain(bind(), path)
  }
  try {
    if ((lstatSocket(path).mode & 0o777) !== mode) chmodSync(path, mode)
    return keepFile(server, path)
  } catch (error) {
    // The file may be gone, or another's, since bind(). The caller got no server to close, so close it here.
    await close(server)
    throw error
  }
}

// bind() creates the socket's file with the umask in force: set for that call alone, there is no moment in which it is
// open wider. Where that can not be (a worker thread; a cluster, whose primary binds) the mode is changed afterwards.
function bindWithMode(server: Server, path: string, mode: number): void {
  if (!isMainThread) {
    server.listen({ path })
    return
  }
  const before = process.umask(0o777 & ~mode)
  try {
    server.listen({ path })
  } finally {
    process.umask(before)
  }
}

/** Removes a socket's file that nobody listens on. Throws when somebody does, or when it is no socket. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSocket(path)
  if (!found.isSocket()) {
    throw withCode(
      'EADDRINUSE',
      `EADDRINUSE: ${path} exists and is no socket. Remove it, or choose another path.`,
    )
  }
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (codeOf(error) === 'ECONNREFUSED') {
      // Another server may have found the same, and been faster.
      if (isSame(path, found)) unlinkSync(path)
      return
    }
    throw withCode(
      'EADDRINUSE',
      `EADDRINUSE: ${path} exists, and whether it is in use could not be found out (${codeOf(error)}). Stop its server, or choose another path.`,
    )
  } finally {
    probe.destroy()
  }
  throw withCode(
    'EADDRINUSE',
    `EADDRINUSE: ${path} is in use by a live server. Stop it, or choose another path.`,
  )
}

// The file is removed with the server, also by a process that exits without closing it, but never another's that has taken
// the path. And it is missed when it is gone, for nobody else would say why no request comes any more.
function keepFile(server: Server, path: string): CloseListener {
  const ours = lstatSocket(path)
  const isOurs = (): boolean | undefined => isSame(path, ours)
  const remove = (): void => {
    if (!isOurs()) return
    try {
      unlinkSync(path)
    } catch {
      // A program that has given up its rights since leaves it: the next one finds that nobody listens on it.
    }
  }
  // In a cluster it is the primary's, which removes it with the last worker.
  if (!cluster.isWorker) process.once('exit', remove)
  const look = setInterval(() => {
    if (isOurs() !== false) return
    clearInterval(look)
    const message = `${path} was removed, or another file has taken its place: no new connection comes here any more. Restart this program.`
    process.emitWarning(message, { code: 'FCGI_WARN_SOCKET_LOST' })
  }, LOOK_EVERY).unref()
  return () => {
    clearInterval(look)
    process.removeListener('exit', remove)
    return isOurs() ? close(server) : closeBeside(server, path)
  }
}

// Node removes whatever is at the path when it closes, so for that moment what is another's is not there.
function closeBeside(server: Server, path: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    // Nothing is there.
    return close(server)
  }
  try {
    return close(server)
  } finally {
    renameSync(aside, path)
  }
}

// Its number alone says little: a file system gives it to the next file. Undefined where this user may not look.
function isSame(path: string, { ino, birthtimeMs }: Stats): boolean | undefined {
  try {
    const now = lstatSocket(path)
    return now.ino === ino && now.birthtimeMs === birthtimeMs
  } catch (error) {
    return codeOf(error) === 'EACCES' ? undefined : false
  }
}

async function listening(server: Server, listen: () => void): Promise<void> {
  const done = once(server, 'listening')
  try {
    listen()
  } catch (error) {
    done.catch(() => {})
    throw error
  }
  await done
}

const ADVICE: Record<string, string> = {
  EACCES: 'this user may not. Give it the right, or choose another place.',
  EADDRINUSE: 'it is in use. Stop the server there, or choose another.',
  EADDRNOTAVAIL: 'this machine has no such address.',
  EINVAL: 'it is no listening socket.',
  ENOSPC: 'the disk is full. Make room on it, or choose another place.',
  ENOENT: 'its folder does not exist. Create it first.',
  ENOTSOCK: 'it is no socket.',
  EBADF: 'it is not open.',
}

async function explain(listening: Promise<void>, where: string): Promise<void> {
  try {
    await listening
  } catch (error) {
    const code = codeOf(error)
    const advice = ADVICE[code]
    if (advice === undefined) throw error
    throw withCode(code, `${code}: can not listen on ${where}: ${advice}`)
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
