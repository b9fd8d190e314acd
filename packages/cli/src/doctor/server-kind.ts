import type { ServerKind } from './finding.ts'

/**
 * Returns the kind of the server that SERVER_SOFTWARE or a Server header names. `listens`: the app listens by itself, so it was not
 * started by mod_fcgid.
 */
export function kindOf(software: string | undefined, listens: boolean): ServerKind {
  const [name] = /nginx|openresty|apache|lighttpd|caddy|h2o|haproxy/i.exec(software ?? '') ?? []
  switch (name?.toLowerCase()) {
    case 'openresty':
      return 'nginx'
    case 'apache':
      return listens ? 'apache-proxy' : 'apache-fcgid'
    case undefined:
      return 'other'
    default:
      return name!.toLowerCase() as ServerKind
  }
}
