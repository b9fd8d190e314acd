import type { Examination } from '../examination.ts'
import { type Finding, type Mend, mend, type ServerKind } from '../finding.ts'

// Those that can keep connections. The others never do, or always.
const KEEPING: Partial<Record<ServerKind, Mend>> = {
  nginx: mend(
    'the first line in the upstream of the app, the second in its location',
    'keepalive 16;',
    'fastcgi_keep_conn on;',
  ),
  'apache-proxy': mend(
    'at the end of the ProxyPass line of the app, or of ProxySet in its <Proxy>',
    'enablereuse=on',
  ),
  h2o: mend('at the path of the app', 'fastcgi.timeout.keepalive: 4000'),
}

/** Whether connections to the app are kept from one request to the next. */
export async function checkConnections({ plain, server }: Examination): Promise<Finding[]> {
  const keeping = KEEPING[server]
  if (plain.echo?.keepConn !== false || keeping === undefined) return []
  return [
    {
      code: 'keep-conn',
      level: 'note',
      seen: 'Each request has a new connection to the app.',
      why: 'A kept one saves a part of the time of each request.',
      mend: keeping,
    },
  ]
}
