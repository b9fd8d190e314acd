import type { Examination } from '../examination.ts'
import { type Finding, type Fix, fix, type ServerKind } from '../finding.ts'

// The servers that have a setting for connection reuse. The others always reuse connections, or never do. Apache's `enablereuse=on` and H2O's
// `fastcgi.timeout.keepalive` are left out, because requests can then fail when the app is reloaded under load: see docs/reload.md.
const KEEP_ALIVE: Partial<Record<ServerKind, Fix>> = {
  nginx: fix(
    'the first line in the upstream of the app, the second in its location',
    'keepalive 16;',
    'fastcgi_keep_conn on;',
  ),
}

/** Checks whether the front server reuses its connections to the app, if it should. */
export async function checkConnections({ plain, server }: Examination): Promise<Finding[]> {
  const keepAlive = KEEP_ALIVE[server]
  if (plain.echo?.keepConn !== false || keepAlive === undefined) return []
  return [
    {
      code: 'keep-conn',
      level: 'note',
      problem: 'The front server opens a new connection to the app for each request.',
      why: 'Reusing connections saves time in each request.',
      fix: keepAlive,
    },
  ]
}
