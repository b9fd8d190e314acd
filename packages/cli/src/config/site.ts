import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import type { SocketAddress } from '@fcgi-bridge/client/address'
import { findModule } from '../app/load-module.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { findFrameworkFiles } from './framework-files.ts'

/** Where a server listens. */
export interface HostAndPort {
  /** Undefined: all addresses of this machine. */
  host: string | undefined
  port: number
}

/** An app and its front server. All configs are built from this. Every value has been validated. */
export interface Site {
  /** The name of files, upstreams and units: letters, digits and dashes. */
  name: string
  app: SiteApp | undefined
  /** An absolute path: the folder of the config file, or the working directory if it is printed. */
  folder: string
  /** Where the app listens for FastCGI. */
  address: SocketAddress
  serverName: string
  /** Where the front server listens. */
  listen: HostAndPort
  /** The URL path under which the app is mounted, such as `/shop`. `''` for the root. */
  mount: string
  statics: Statics | undefined
  /** The largest request body, in bytes. */
  maxBody: number
  tls: Tls | undefined
  /** Keep the front server's response buffering. */
  buffer: boolean
  /** Send the client's address, the scheme and the host as X-Forwarded-For, -Proto and -Host. */
  forwardedHeaders: boolean
  /** The front server starts the app. */
  spawn: boolean
  /** The number of worker processes that serve the app. Undefined: one process without a master. */
  workers: number | 'auto' | undefined
  /** Each worker has its own socket: `%i` in the path is its number, and a port counts up. */
  perWorkerSockets: boolean
  /** The system user that runs the app. Undefined: systemd creates one. */
  user: string | undefined
  /** The system user that runs the front server. */
  serverUser: string
}

/** The app's module. */
export interface SiteApp {
  /** The module's absolute path. */
  file: string
  /** The flags of `fcgi-bridge serve` that select the app in the module. */
  flags: readonly string[]
}

/** Files that the front server serves itself. */
export interface Statics {
  /** An absolute path without a slash at its end. */
  folder: string
  /** The URL path of the files, such as `/assets`. */
  url: string
  /** The URL path of the files is also the app's mount. The app gets the URLs without a file. */
  shared: boolean
  /**
   * The URL path below `url` of the files whose names contain a hash of their content, such as `/_nuxt`. `''` for all files.
   * Undefined if there are none.
   */
  hashed?: string | undefined
}

/** The HTTPS settings of the front server. */
export interface Tls {
  /** The absolute path of the certificate chain. */
  cert: string
  /** The absolute path of the private key. */
  key: string
  /** Where the front server listens for HTTP, to redirect it to HTTPS. */
  redirectFrom: HostAndPort
}

/** The values of the flags that describe a site. */
export interface SiteFlags {
  as?: string
  export?: string
  name?: string
  socket?: string
  address?: { host: string; port: number }
  serverName?: string
  listen?: HostAndPort
  redirectFrom?: HostAndPort
  mount: string
  /** False: the app serves the files of its framework. */
  static?: string | false
  staticUrl?: string
  maxBody: number
  tlsCert?: string
  tlsKey?: string
  buffer: boolean
  forwardedHeaders: boolean
  spawn: boolean
  workers?: number | 'auto'
  perWorkerSockets?: boolean
  user?: string
  serverUser: string
  output?: string
}

/** Where the app listens if no flag gives an address. */
export const DEFAULT_ADDRESS = { host: '127.0.0.1', port: 9000 }

/**
 * Builds a site from the flags. `unitName` is the name of systemd's units, if `--output` gives it. Throws a Failure if the flags are invalid or
 * contradict each other.
 */
export function siteOf(module: string | undefined, flags: SiteFlags, unitName?: string): Site {
  const app = module === undefined ? undefined : { file: fileOf(module), flags: flagsOf(flags) }
  const { workers, perWorkerSockets = false } = flags
  const socket = flags.socket === undefined ? undefined : socketPath(flags.socket, perWorkerSockets)
  if (perWorkerSockets && typeof workers !== 'number') {
    throw usageError('--per-worker-sockets needs the number of workers: add --workers 4.')
  }
  if (app === undefined && socket === undefined && flags.address === undefined) {
    throw usageError(
      "Neither an app nor its address is given. Name the app's module, or give the address on which it listens: --socket or --address.",
    )
  }
  if (unitName !== undefined && flags.name !== undefined && flags.name !== unitName) {
    throw usageError(
      `--name ${flags.name} and --output ${flags.output} give the units different names. Leave out --name, or write --output ${flags.name}.`,
    )
  }
  const tls = tlsOf(flags)
  return {
    name: flags.name ?? unitName ?? nameOf(app?.file ?? socket ?? 'app'),
    app,
    folder: flags.output === undefined ? process.cwd() : dirname(resolve(flags.output)),
    address: socket === undefined ? (flags.address ?? DEFAULT_ADDRESS) : { path: socket },
    serverName: flags.serverName ?? 'localhost',
    listen: flags.listen ?? { host: undefined, port: tls === undefined ? 80 : 443 },
    mount: flags.mount,
    statics: staticsOf(flags, app?.file),
    maxBody: flags.maxBody,
    tls,
    buffer: flags.buffer,
    forwardedHeaders: flags.forwardedHeaders,
    spawn: flags.spawn,
    workers,
    perWorkerSockets,
    user: flags.user,
    serverUser: flags.serverUser,
  }
}

/** The origin of the site's HTTPS URLs. */
export function httpsOrigin({ serverName, listen: { port } }: Site): string {
  return `https://${serverName}${port === 443 ? '' : `:${port}`}`
}

/** The error for a wrong command line. */
export function usageError(message: string): Failure {
  return new Failure(EXIT.usage, message)
}

function fileOf(module: string): string {
  const real = findModule(module)
  // Keep a symbolic link such as /srv/app/current: the next deploy points it at another folder.
  const named = resolve(module)
  const file = absolute('The app', existsSync(named) && statSync(named).isFile() ? named : real)
  if (file.includes('\\')) {
    throw usageError(`${file}: Node cannot load a module whose path has a backslash. Rename it.`)
  }
  return file
}

function flagsOf(flags: SiteFlags): string[] {
  return [
    ...(flags.as === undefined ? [] : ['--as', flags.as]),
    ...(flags.export === undefined ? [] : ['--export', onOneLine('--export', flags.export)]),
  ]
}

function nameOf(file: string): string {
  const stem = basename(file).replace(/\.\w+$/, '')
  const specific = /^(app|index|main|server|start|www)$/i.test(stem) ? basename(dirname(file)) : stem
  const plain = specific
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return plain === '' ? 'app' : plain
}

// sun_path has 108 bytes, including the NUL at its end.
const SOCKET_PATH_MAX = 107

function socketPath(path: string, isPerWorker: boolean): string {
  const full = resolve(path)
  if (isPerWorker && !full.includes('%i')) {
    throw usageError(
      `--socket ${path}: with --per-worker-sockets, write %i for the number of the worker, as in /run/app.%i.sock.`,
    )
  }
  if (!/^[\w./@+-]+$/.test(isPerWorker ? full.replaceAll('%i', '') : full)) {
    throw usageError(
      `--socket ${JSON.stringify(path)}: some servers cannot express characters in a socket's path other than letters, digits and ./_@+-. Choose another path, such as /run/app.sock.`,
    )
  }
  if (full.length > SOCKET_PATH_MAX) {
    throw usageError(
      `--socket ${path}: the path has ${full.length} bytes, and a Unix socket's path can have at most ${SOCKET_PATH_MAX}. Choose a shorter path.`,
    )
  }
  return full
}

function staticsOf(flags: SiteFlags, app: string | undefined): Statics | undefined {
  if (flags.static === undefined || flags.static === false) {
    if (flags.staticUrl !== undefined) {
      throw usageError('--static-url needs --static. Give the folder of the files with --static.')
    }
    return flags.static === false || app === undefined ? undefined : frameworkStatics(flags.mount, app)
  }
  const folder = absolute('--static', flags.static)
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw usageError(
      `--static ${flags.static}: there is no such folder (${folder}). Give the folder that has the files.`,
    )
  }
  rejectSourceFolder(folder, app)
  const url = flags.staticUrl ?? flags.mount
  return { folder, url, shared: url === flags.mount }
}

function frameworkStatics(mount: string, app: string): Statics | undefined {
  const found = findFrameworkFiles(app)
  if (found === undefined) return undefined
  const { folder, url, hashed } = found
  return { folder: absolute('--static', folder), url: `${mount}${url}`, shared: url === '', hashed }
}

// A project's folder contains source code and configuration that must not be public.
function rejectSourceFolder(folder: string, app: string | undefined): void {
  const advice = 'Put public files into a folder of their own, such as public.'
  if (app !== undefined && isWithin(realpathSync(folder), realpathSync(app))) {
    throw usageError(
      `--static ${folder}: this folder contains the app, so the app's source code would be public. ${advice}`,
    )
  }
  const found = ['package.json', 'node_modules'].find((name) => existsSync(`${folder}/${name}`))
  if (found !== undefined) {
    throw usageError(
      `--static ${folder}: this folder contains ${found}, so it is a project's folder, and all its files would be public. ${advice}`,
    )
  }
}

function isWithin(folder: string, file: string): boolean {
  const path = relative(folder, file)
  return path !== '..' && !path.startsWith(`..${sep}`)
}

function tlsOf({ tlsCert, tlsKey, redirectFrom }: SiteFlags): Tls | undefined {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (redirectFrom !== undefined) {
      throw usageError('--redirect-from needs HTTPS. Add --tls-cert and --tls-key.')
    }
    return undefined
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    const missing = tlsCert === undefined ? '--tls-cert' : '--tls-key'
    throw usageError(`--tls-cert and --tls-key must be used together. Add ${missing}.`)
  }
  return {
    cert: absolute('--tls-cert', tlsCert),
    key: absolute('--tls-key', tlsKey),
    redirectFrom: redirectFrom ?? { host: undefined, port: 80 },
  }
}

function absolute(what: string, path: string): string {
  return onOneLine(what, resolve(path))
}

// A control character would end a comment or a line in the servers' configs.
function onOneLine(what: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the control characters are matched on purpose
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text)) {
    throw usageError(
      `${what} ${JSON.stringify(text)} contains a control character, which no config can express. Rename it.`,
    )
  }
  return text
}
