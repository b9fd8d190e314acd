import type { SocketAddress } from '@fcgi-bridge/client/address'
import { formatSize } from '../size.ts'
import { DEFAULT_ADDRESS, type Site, usageError } from './site.ts'

/** The words of the command that serves the app on the site's address. */
export function serveWords(site: Site): string[] {
  const { address } = site
  const host = 'host' in address && address.host !== DEFAULT_ADDRESS.host ? ['--host', address.host] : []
  const addressFlags =
    'path' in address ? ['--path', address.path, '--mode', '660'] : ['--port', String(address.port), ...host]
  return [...inheritWords(site), ...addressFlags]
}

/** Like {@link serveWords}, without an address: the process that starts the app provides the socket. */
export function inheritWords({ app, mount, maxBody, workers, perWorkerSockets }: Site): string[] {
  return [
    'fcgi-bridge',
    'serve',
    app?.file ?? 'app.js',
    ...(app?.flags ?? []),
    ...(mount === '' ? [] : ['--mount', mount]),
    '--max-body',
    formatSize(maxBody),
    ...(workers === undefined ? [] : ['--workers', String(workers)]),
    ...(perWorkerSockets ? ['--per-worker-sockets'] : []),
  ]
}

/** The addresses on which the app listens: one, or one for each worker. */
export function addressesOf({ address, workers, perWorkerSockets }: Site): SocketAddress[] {
  if (!perWorkerSockets || typeof workers !== 'number') return [address]
  return Array.from({ length: workers }, (_, slot) =>
    'path' in address
      ? { path: address.path.replaceAll('%i', String(slot)) }
      : { host: address.host, port: address.port + slot },
  )
}

/**
 * The words of a command that starts this program. The command works without PATH and in any working directory. Throws a Failure if the
 * program runs from npx's cache, because that can be emptied at any time.
 */
export function programWords(program: string = process.argv[1]!): string[] {
  if (/[\\/]_npx[\\/]/.test(program)) {
    throw usageError(
      `In this config the server starts fcgi-bridge, but fcgi-bridge is not installed: it runs from npx's temporary cache (${program}). Install it in the app's folder: npm install fcgi-bridge.`,
    )
  }
  return [process.execPath, program]
}
