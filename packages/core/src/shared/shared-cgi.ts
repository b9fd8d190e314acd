import { spawn } from 'node:child_process'
import { closeSync, openSync, statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { serveCgi } from '../listen/cgi-process.ts'
import { codeOf } from '../listen/listen-error.ts'
import type { Claims } from './claims.ts'
import { unlinkIfExists } from './unlink.ts'

// Milliseconds. A holder that a CGI program has started ends after this time without a request.
const IDLE_TIMEOUT = 300_000

// How long (milliseconds) a holder may take to open its socket, which it does before it loads the app.
const START_TIMEOUT = 10_000
const START_PAUSE = 10

// An environment variable that is set only in a holder that a CGI program started.
const HOLDER_VARIABLE = 'FCGI_BRIDGE_HOLDER'

// The variables of one request: RFC 3875 section 4.1, and what Apache, lighttpd and others add.
const CGI_VARIABLE =
  /^(?:AUTH_TYPE|CONTENT_|CONTEXT_|DOCUMENT_|GATEWAY_INTERFACE|HTTPS$|HTTP_|PATH_INFO|PATH_TRANSLATED|QUERY_STRING|REDIRECT_|REMOTE_|REQUEST_|SCRIPT_|SERVER_|SSL_|UNIQUE_ID)/

/**
 * Relays the request of a CGI program to the holder, which is started in the background if there is none, and exits. Resolves if the holder
 * cannot be started: this process must serve its request itself.
 */
export async function serveSharedCgi(claims: Claims): Promise<void> {
  const holder = (await claims.connect()).holder ?? (await startHolder(claims))
  if (holder === undefined) return
  const status = await serveCgi((stream) => connectStreams(stream, holder))
  process.exit(status & 0xff)
}

/** Returns the idle time-out of a holder that a CGI program has started, in milliseconds, and undefined in any other process. */
export function takeIdleTimeout(): number | undefined {
  const isMarked = process.env[HOLDER_VARIABLE] !== undefined
  delete process.env[HOLDER_VARIABLE]
  return isMarked ? IDLE_TIMEOUT : undefined
}

function connectStreams(stream: Duplex, holder: Socket): void {
  stream.pipe(holder)
  holder.pipe(stream)
  holder.on('error', () => {})
  // The response is incomplete: the program exits with status 1.
  holder.on('close', () => stream.end())
}

// One of several concurrent requests starts the holder. The others wait for it.
async function startHolder(claims: Claims): Promise<Socket | undefined> {
  const lock = join(claims.folder, 'starting')
  const isOurs = lockStart(lock)
  const failed = isOurs ? spawnHolder() : undefined
  let hasFailed = false
  failed?.then(() => {
    hasFailed = true
  })
  try {
    for (const until = Date.now() + START_TIMEOUT; Date.now() < until && !hasFailed; ) {
      const { holder } = await claims.connect()
      if (holder !== undefined) return holder
      await setTimeout(START_PAUSE)
    }
    return undefined
  } finally {
    if (isOurs) unlinkIfExists(lock)
  }
}

// Two processes can have the lock if one of them has been killed. Both start a holder then, and one of these exits.
function lockStart(lock: string): boolean {
  try {
    closeSync(openSync(lock, 'wx', 0o600))
    return true
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    if (age < START_TIMEOUT) return false
    unlinkIfExists(lock)
    return true
  }
}

/** Runs this command line again, in the background. Settles if that fails. */
function spawnHolder(): Promise<void> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !CGI_VARIABLE.test(name)))
  return new Promise((resolve) => {
    try {
      // The holder runs in a separate session, so that it outlives the request. It does not get Apache's pipes, because Apache waits until they
      // are closed.
      const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
        detached: true,
        stdio: 'ignore',
        env: { ...env, [HOLDER_VARIABLE]: '1' },
      })
      child.once('error', () => resolve())
      child.once('exit', (status) => status !== 0 && resolve())
      child.unref()
    } catch {
      resolve()
    }
  })
}
