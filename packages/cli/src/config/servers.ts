/** The front servers, and systemd, that `fcgi-bridge config` writes configs for. */
export const SERVERS = [
  'nginx',
  'apache-fcgid',
  'apache-proxy',
  'htaccess',
  'lighttpd',
  'caddy',
  'h2o',
  'haproxy',
  'systemd',
] as const

/** One of {@link SERVERS}. */
export type ServerName = (typeof SERVERS)[number]
