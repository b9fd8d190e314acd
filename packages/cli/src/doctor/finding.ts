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

/** What mends it. */
export interface Mend {
  /** Where it goes, or what to do where no line would do: `in the location of the app`. */
  where: string
  /** The lines of the front server's config, or a shell command; empty where there is none. */
  lines: readonly string[]
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
