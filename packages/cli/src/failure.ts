import { EXIT, type ExitCode } from './exit-codes.ts'

/** What a user can mend: it is told in words, without a stack. Whatever else is thrown is a bug, and is told with one. */
export class Failure extends Error {
  /** The status that the program ends with. */
  readonly exitCode: ExitCode
  /** For scripts, such as `ECONNREFUSED`; the code of `cause` where it has one. */
  readonly code: string | undefined

  /** `message` says what happened, where, and what to do; it may have several lines. */
  constructor(exitCode: ExitCode, message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'Failure'
    this.exitCode = exitCode
    this.code = options.code ?? codeOf(options.cause)
  }
}

/** Ends the program with a status, once the command has printed itself what is wrong. */
export class Verdict extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`exit status ${exitCode}`)
    this.name = 'Verdict'
    this.exitCode = exitCode
  }
}

/** How any error is told: the text for people, the object for `--json`, the exit status. */
export interface Told {
  text: string
  json: { error: { message: string; code?: string } }
  exitCode: ExitCode
}

/** Makes one readable message and an exit status of whatever was thrown. */
export function tell(error: unknown): Told {
  if (error instanceof Failure) {
    const { message, code, exitCode } = error
    return { text: message, json: asJson(message, code), exitCode }
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const message = error instanceof Error ? error.message : text
  return { text, json: asJson(message, codeOf(error)), exitCode: EXIT.failed }
}

function asJson(message: string, code: string | undefined): Told['json'] {
  return { error: { message, ...(code !== undefined && { code }) } }
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined | null)?.code
  return typeof code === 'string' ? code : undefined
}
