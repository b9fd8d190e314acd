/** How much it matters: an `error` breaks apps, a `warning` some of them, a `note` none; it can be better. */
export type Level = 'error' | 'warning' | 'note'

/** What is misconfigured. */
export interface Finding {
  /** For scripts, such as `authorization`. */
  code: string
  level: Level
  /** What was seen, in one sentence. */
  seen: string
  /** Why that matters. */
  why: string
  mend: Mend
}

/** One thing to do. */
export interface Step {
  /** Where the lines go, or what to do if no line does it: `in the location of the app`. */
  where: string
  /** The lines of the front server's config, a shell command, or code of the app; empty if there is none. */
  lines: readonly string[]
}

/** What mends it. */
export interface Mend extends Step {
  /** What to do instead, for those who cannot change that place: on shared hosting there is only an .htaccess. */
  otherwise?: Step
}

/** The front servers that are known, Apache by the module that speaks to the app. */
export type ServerKind =
  | 'nginx'
  | 'apache-proxy'
  | 'apache-fcgid'
  | 'lighttpd'
  | 'caddy'
  | 'h2o'
  | 'haproxy'
  | 'other'

/** How each server is mended. `other` is for the servers that are not named: in words. */
export type Mends = Partial<Record<ServerKind, Mend>> & { other: Mend }

/** The mend for one server. */
export function mendFor(server: ServerKind, mends: Mends): Mend {
  return mends[server] ?? mends.other
}

/** Makes a {@link Mend}. */
export function mend(where: string, ...lines: string[]): Mend {
  return { where, lines }
}

/** A mend, and what to do instead where it cannot be made. */
export function withAlternative(mend: Mend, where: string, ...lines: string[]): Mend {
  return { ...mend, otherwise: { where, lines } }
}

/** A mend of Apache's that an .htaccess cannot make; `instead` says what its user can do. */
export function notInHtaccess(mend: Mend, instead: string, ...lines: string[]): Mend {
  return withAlternative(mend, `if you have only an .htaccess, which may not say this: ${instead}`, ...lines)
}
