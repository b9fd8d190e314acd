import { existsSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, relative, resolve, sep } from 'node:path'
import type { SocketAddress } from '@fcgi-bridge/client/address'
import { findModule } from '../app/load-module.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { formatSize } from '../size.ts'

/** A host, or all of this machine's addresses, and a port. */
export interface HostAndPort {
  host: string | undefined
  port: number
}

/** An app and what stands in front of it: what every config is made of. All of it is checked. */
export interface Site {
  /** What files, upstreams and units are called: letters, digits and dashes. */
  name: string
  app: SiteApp | undefined
  /** Where the app listens for FastCGI. */
  address: SocketAddress
  serverName: string
  /** Where the front server listens. */
  listen: HostAndPort
  /** What URLs of the app begin with: `''` at the root, or such as `/shop`. */
  mount: string
  statics: Statics | undefined
  /** The largest request body, in bytes. */
  maxBody: number
  tls: Tls | undefined
  /** Answers may be held back until a buffer is full. */
  buffer: boolean
  /** The front server starts the app. */
  spawn: boolean
  /** Who runs the app: a user of the system's, else one made for it. */
  user: string | undefined
  /** Who runs the front server. */
  serverUser: string
}

/** The app, where its module is known. */
export interface SiteApp {
  /** The module's absolute path. */
  file: string
  /** The flags of `fcgi-bridge serve` that say what in the module the app is. */
  flags: readonly string[]
}

/** Files that the front server serves itself. */
export interface Statics {
  /** Absolute, without a slash at its end. */
  folder: string
  /** What their URLs begin with. */
  url: string
  /** The app has URLs there as well: it gets those that are no file's. */
  shared: boolean
}

/** How HTTPS is spoken. */
export interface Tls {
  cert: string
  key: string
  /** Where HTTP is answered with a redirect to HTTPS. */
  redirectFrom: HostAndPort
}

/** What the command line says of a site. */
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
  static?: string
  staticUrl?: string
  maxBody: number
  tlsCert?: string
  tlsKey?: string
  buffer: boolean
  spawn: boolean
  user?: string
  serverUser: string
}

const DEFAULT_ADDRESS = { host: '127.0.0.1', port: 9000 }

/** The site that a command line describes. Throws a Failure, with what to say instead, where it can not be. */
export function siteOf(module: string | undefined, flags: SiteFlags): Site {
  const app = module === undefined ? undefined : { file: fileOf(module), flags: flagsOf(flags) }
  const socket = flags.socket === undefined ? undefined : socketPath(flags.socket)
  if (app === undefined && socket === undefined && flags.address === undefined) {
    throw wrong('What is the app? Name its module, or say where it listens: --socket or --address.')
  }
  const tls = tlsOf(flags)
  return {
    name: flags.name ?? nameOf(app?.file ?? socket ?? 'app'),
    app,
    address: socket === undefined ? (flags.address ?? DEFAULT_ADDRESS) : { path: socket },
    serverName: flags.serverName ?? 'localhost',
    listen: flags.listen ?? { host: undefined, port: tls === undefined ? 80 : 443 },
    mount: flags.mount,
    statics: staticsOf(flags, app?.file),
    maxBody: flags.maxBody,
    tls,
    buffer: flags.buffer,
    spawn: flags.spawn,
    user: flags.user,
    serverUser: flags.serverUser,
  }
}

/** What HTTPS URLs of the site begin with. */
export function httpsOrigin({ serverName, listen: { port } }: Site): string {
  return `https://${serverName}${port === 443 ? '' : `:${port}`}`
}

/** The command that serves the app where the site says, word by word. */
export function serveWords(site: Site): string[] {
  const { address } = site
  const host = 'host' in address && address.host !== DEFAULT_ADDRESS.host ? ['--host', address.host] : []
  const at =
    'path' in address ? ['--path', address.path, '--mode', '660'] : ['--port', String(address.port), ...host]
  return [...inheritWords(site), ...at]
}

/** The same for an app whose socket is opened by the one who starts it. */
export function inheritWords({ app, mount, maxBody }: Site): string[] {
  return [
    'fcgi-bridge',
    'serve',
    app?.file ?? 'app.js',
    ...(app?.flags ?? []),
    ...(mount === '' ? [] : ['--mount', mount]),
    '--max-body',
    formatSize(maxBody),
  ]
}

/**
 * How this program is started again, word by word, by whoever has no PATH and another folder. Throws a Failure where it runs
 * from npx's cache, which is emptied at any time.
 */
export function programWords(program: string = process.argv[1]!): string[] {
  if (/[\\/]_npx[\\/]/.test(program)) {
    throw wrong(
      `This config has the server start fcgi-bridge, which runs from npx's cache now: ${program}. Install it where the app is: npm install fcgi-bridge.`,
    )
  }
  return [process.execPath, program]
}

/** A wrong command line. */
export function wrong(message: string): Failure {
  return new Failure(EXIT.usage, message)
}

function fileOf(module: string): string {
  const real = findModule(module)
  // A link such as /srv/app/current is what the next deploy changes, so it stays one.
  const named = resolve(module)
  const file = absolute('The app', existsSync(named) && statSync(named).isFile() ? named : real)
  if (file.includes('\\')) throw wrong(`${file}: Node loads no module of a path with a backslash. Rename it.`)
  return file
}

function flagsOf(flags: SiteFlags): string[] {
  return [
    ...(flags.as === undefined ? [] : ['--as', flags.as]),
    ...(flags.export === undefined ? [] : ['--export', onOneLine('--export', flags.export)]),
  ]
}

function nameOf(file: string): string {
  const own = basename(file).replace(/\.\w+$/, '')
  const telling = /^(app|index|main|server|start|www)$/i.test(own) ? basename(dirname(file)) : own
  const plain = telling
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return plain === '' ? 'app' : plain
}

// sun_path holds 108 bytes, with the NUL at its end.
const SOCKET_PATH_MAX = 107

function socketPath(path: string): string {
  const full = resolve(path)
  if (!/^[\w./@+-]+$/.test(full)) {
    throw wrong(
      `--socket ${JSON.stringify(path)}: servers write a socket's path in too many ways for other characters than letters, digits and ./_@+-. Choose another path, such as /run/app.sock.`,
    )
  }
  if (full.length > SOCKET_PATH_MAX) {
    throw wrong(`--socket ${path}: a socket's path may have ${SOCKET_PATH_MAX} bytes. Choose a shorter one.`)
  }
  return full
}

function staticsOf(flags: SiteFlags, app: string | undefined): Statics | undefined {
  if (flags.static === undefined) {
    if (flags.staticUrl !== undefined)
      throw wrong('--static-url goes with --static, the folder of the files.')
    return undefined
  }
  const folder = absolute('--static', flags.static)
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw wrong(`--static ${flags.static} is no folder.`)
  }
  refuseSource(folder, app)
  const url = flags.staticUrl ?? flags.mount
  return { folder, url, shared: url === flags.mount }
}

// Whoever serves a project's folder gives its source, and what is in its configs, to the world.
function refuseSource(folder: string, app: string | undefined): void {
  const advice = 'Keep what is public in a folder of its own, such as public.'
  if (app !== undefined && isWithin(realpathSync(folder), realpathSync(app))) {
    throw wrong(`--static ${folder} holds the app itself, whose source would be served. ${advice}`)
  }
  const found = ['package.json', 'node_modules'].find((name) => existsSync(`${folder}/${name}`))
  if (found !== undefined) {
    throw wrong(`--static ${folder} has a ${found}: it is a project's folder, and would be served. ${advice}`)
  }
}

function isWithin(folder: string, file: string): boolean {
  const path = relative(folder, file)
  return path !== '..' && !path.startsWith(`..${sep}`)
}

function tlsOf({ tlsCert, tlsKey, redirectFrom }: SiteFlags): Tls | undefined {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (redirectFrom !== undefined) throw wrong('--redirect-from goes with --tls-cert and --tls-key.')
    return undefined
  }
  if (tlsCert === undefined || tlsKey === undefined) throw wrong('--tls-cert and --tls-key go together.')
  return {
    cert: absolute('--tls-cert', tlsCert),
    key: absolute('--tls-key', tlsKey),
    redirectFrom: redirectFrom ?? { host: undefined, port: 80 },
  }
}

// The path from the root.
function absolute(what: string, path: string): string {
  return onOneLine(what, resolve(path))
}

// A control character would end a comment or a line in any of the servers' configs.
function onOneLine(what: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text)) {
    throw wrong(
      `${what} ${JSON.stringify(text)}: there is a control character in it, and no config can say that. Rename it.`,
    )
  }
  return text
}
