/** How severe a finding is: an `error` breaks all apps, a `warning` breaks some, and a `note` is a possible improvement. */
export type Level = 'error' | 'warning' | 'note'

/** A fault that the doctor found. `--json` prints it with these property names. */
export interface Finding {
  /** A name for scripts, such as `authorization`. */
  code: string
  level: Level
  /** What the doctor observed, in one sentence. */
  problem: string
  /** The consequence for the app or its users. */
  why: string
  /** How to fix it. */
  fix: Fix
}

/** One thing to do. */
export interface Step {
  /** Where to put the lines, such as `in the location of the app`. Without lines, what to do. */
  where: string
  /** The lines of the front server's config, a shell command, or code of the app; empty if there is none. */
  lines: readonly string[]
}

/** How to fix a fault. */
export interface Fix extends Step {
  /** What to do instead if the user cannot change that file. On shared hosting, for example, there is only an .htaccess. */
  otherwise?: Step
}

/** The front servers that the doctor knows. For Apache, the module that connects to the app. */
export type ServerKind =
  | 'nginx'
  | 'apache-proxy'
  | 'apache-fcgid'
  | 'lighttpd'
  | 'caddy'
  | 'h2o'
  | 'haproxy'
  | 'other'

/** The fix for each server. `other` describes it in words, for the servers that have no entry. */
export type Fixes = Partial<Record<ServerKind, Fix>> & { other: Fix }

/** Returns the fix for one server. */
export function fixFor(server: ServerKind, fixes: Fixes): Fix {
  return fixes[server] ?? fixes.other
}

/** Creates a {@link Fix}. */
export function fix(where: string, ...lines: string[]): Fix {
  return { where, lines }
}

/** Adds an alternative to a fix, for users who cannot apply it. */
export function withAlternative(fix: Fix, where: string, ...lines: string[]): Fix {
  return { ...fix, otherwise: { where, lines } }
}

/** A fix for Apache whose directives are not allowed in an .htaccess. `instead` is for a user who has only that file. */
export function notInHtaccess(fix: Fix, instead: string, ...lines: string[]): Fix {
  return withAlternative(
    fix,
    `if you can change only an .htaccess, in which these lines are not allowed: ${instead}`,
    ...lines,
  )
}
