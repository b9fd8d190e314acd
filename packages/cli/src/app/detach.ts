import { EXIT, type ExitCode } from '../exit-codes.ts'
import { type ErrorReport, Failure } from '../failure.ts'

// An environment variable that only the detached process has.
const DETACHED_VARIABLE = 'FCGI_BRIDGE_DETACHED'

/** What the detached process sends to the one that started it: it listens, or the reason why it ends. */
type Message = { listening: true } | { failed: ErrorReport }

/**
 * Runs this command line again in a separate session. The new process outlives this one, its terminal and the front server that started it.
 * Resolves when that process listens. Throws a Failure with its error and exit status if it ends before.
 */
export async function detach(): Promise<void> {
  // Loaded on use: most processes that serve an app start no others.
  const { spawn } = await import('node:child_process')
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [DETACHED_VARIABLE]: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const message = await new Promise<Message>((resolve, reject) => {
    child.once('message', (sent) => resolve(sent as Message))
    child.once('error', reject)
    child.once('exit', (status, signal) => reject(endedEarly(status, signal)))
  })
  if ('failed' in message) throw failureOf(message.failed)
  child.disconnect()
  child.unref()
}

/** Whether {@link detach} started this process. The variable is deleted, so that programs that the app starts do not inherit it. */
export const isDetached: boolean = process.env[DETACHED_VARIABLE] !== undefined
delete process.env[DETACHED_VARIABLE]

// An app that finds process.send assumes that its parent is a process manager, and sends it messages such as 'ready' (PM2). detach()
// in the parent would mistake them for a Message.
const sendToParent = isDetached ? process.send?.bind(process) : undefined
if (isDetached) delete process.send

/** Tells the parent process that this process listens. Does nothing in a process that is not detached. */
export function reportListening(): void {
  if (!isDetached || !process.connected) return
  send({ listening: true })
  process.disconnect?.()
}

/** Sends the error that ends this process to its parent process. Does nothing in a process that is not detached. */
export function reportFailure(failed: ErrorReport): void {
  if (isDetached && process.connected) send({ failed })
}

function send(message: Message): void {
  sendToParent?.(message)
}

function failureOf({ text, json, exitCode }: ErrorReport): Failure {
  const { code } = json.error
  return new Failure(exitCode, text, code === undefined ? {} : { code })
}

function endedEarly(status: number | null, signal: NodeJS.Signals | null): Failure {
  const how = signal === null ? `exited with status ${status}` : `was killed by ${signal}`
  const message = `The detached process ${how} before it listened. Its output is in the log file. If there is none, try again with --log-file FILE.`
  return new Failure((status as ExitCode | null) ?? EXIT.failed, message)
}
