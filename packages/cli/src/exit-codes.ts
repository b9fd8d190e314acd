/** What the status says that `fcgi-bridge` ends with. They are documented in the README and in `--help`. */
export const EXIT = {
  /** What was asked for was done. */
  ok: 0,
  /** It was not, and none of the others says why: a bug of ours, most likely. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The app's module can not be loaded, or no app was found in it. */
  app: 3,
  /** It can not listen there. */
  listen: 4,
  /** Nobody answers at the address. */
  unreachable: 5,
  /** There is an answer, and it is not a good one. */
  badAnswer: 6,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The same for the end of `--help`. */
export const EXIT_HELP = `
Exit status: 0 done, 1 failed, 2 wrong command line, 3 no app in the module, 4 can not listen,
5 nobody answers at the address, 6 a bad answer.`
