import { EXIT, type ExitCode } from './exit-codes.ts'

/** An error that the user can fix. It is printed without a stack. Any other error is a bug, and is printed with its stack. */
export class Failure extends Error {
  /** The program's exit status. */
  readonly exitCode: ExitCode
  /** An error code for scripts, such as `ECONNREFUSED`. Default: the code of `cause`, if it has one. */
  readonly code: string | undefined

  /** `message` says what happened, with the value, and then what to do. It may have several lines. */
  constructor(exitCode: ExitCode, message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'Failure'
    this.exitCode = exitCode
    this.code = options.code ?? codeOf(options.cause)
  }
}

/** Thrown to exit with a status after the command has printed the faults itself. */
export class Verdict extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`exit status ${exitCode}`)
    this.name = 'Verdict'
    this.exitCode = exitCode
  }
}

/** An error as it is reported: `text` for people, `json` for `--json`, and the exit status. */
export interface ErrorReport {
  text: string
  json: { error: { message: string; code?: string } }
  exitCode: ExitCode
}

/** Reports any thrown value: the message of a {@link Failure}, else the stack. */
export function reportError(error: unknown): ErrorReport {
  if (error instanceof Failure) {
    const { message, code, exitCode } = error
    return { text: message, json: asJson(message, code), exitCode }
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const message = error instanceof Error ? error.message : text
  return { text, json: asJson(message, codeOf(error)), exitCode: EXIT.failed }
}

function asJson(message: string, code: string | undefined): ErrorReport['json'] {
  return { error: { message, ...(code !== undefined && { code }) } }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined | null)?.code
  return typeof code === 'string' ? code : undefined
}
