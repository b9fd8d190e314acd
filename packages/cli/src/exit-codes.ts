/** The exit statuses of `fcgi-bridge`. The README and `--help` document them. */
export const EXIT = {
  /** The command succeeded. */
  ok: 0,
  /** The command failed for a reason that has no other status. If it printed a stack, this is most likely a bug in this program. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The app's module cannot be loaded, or exports no app. */
  app: 3,
  /** The server cannot listen on the address. */
  listen: 4,
  /** No server responds at the address. */
  unreachable: 5,
  /** The response is an error or breaks the protocol, or a check failed. */
  badResponse: 6,
} as const

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The exit statuses as text for the end of `--help`. */
export const EXIT_HELP = `
Exit status: 0 success, 1 failure, 2 wrong command line, 3 no app in the module, 4 cannot listen,
5 no response from the address, 6 a bad response or a failed check.`
