import { realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { GatewayError } from './error.ts'

/** The folders of the files that the gateway may send in place of a response body. */
export interface FileOptions {
  /**
   * The folder or folders whose files an `X-Sendfile` header may name by absolute path, like lighttpd's
   * `x-sendfile-docroot`. Default: none, and the header is dropped.
   */
  readonly xSendfile?: string | readonly string[]
  /**
   * The folder for each URL prefix that an `X-Accel-Redirect` header may use: `{ '/protected/': '/srv/files' }` is like
   * nginx's `location /protected/ { internal; alias /srv/files/; }`. Default: none, and the header is dropped.
   */
  readonly xAccelRedirect?: Readonly<Record<string, string>>
}

/** A file that is sent as the body of a response. */
export interface SendfileResponse {
  readonly folder: string
  readonly path: string
  readonly status: number
  /** [name, value, name, value…] */
  readonly headers: readonly string[]
}

// The headers that nginx keeps in a response with X-Accel-Redirect.
const KEPT_WITH_ACCEL = new Set([
  'cache-control',
  'content-disposition',
  'content-type',
  'expires',
  'set-cookie',
])
// Headers about the body that the file replaces.
const OF_BODY = new Set(['accept-ranges', 'content-length', 'content-range'])

type Send = typeof import('send')

/** Finds and sends the files that the application names. */
export class SendfileFolders {
  readonly #sendfileFolders: readonly string[]
  readonly #accelFolders: readonly [prefix: string, folder: string][]
  readonly #send: Send

  /** Throws TypeError for folders that are not absolute paths, for invalid prefixes, and if `send` is not installed. */
  constructor({ xSendfile = [], xAccelRedirect = {} }: FileOptions) {
    this.#sendfileFolders = typeof xSendfile === 'string' ? [xSendfile] : xSendfile
    // The longest matching prefix wins.
    this.#accelFolders = Object.entries(xAccelRedirect).sort(([a], [b]) => b.length - a.length)
    for (const folder of this.#sendfileFolders) checkFolder('xSendfile', folder)
    for (const [prefix, folder] of this.#accelFolders) {
      if (!/^\/(?:.*\/)?$/.test(prefix)) {
        throw new TypeError(`xAccelRedirect: ${JSON.stringify(prefix)} must begin and end with a slash.`)
      }
      checkFolder('xAccelRedirect', folder)
    }
    this.#send = loadSend()
  }

  /**
   * Returns the file that a response with these headers names, or undefined. Throws GatewayError for a file outside of
   * the folders.
   */
  find(status: number, headers: readonly string[]): SendfileResponse | undefined {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!.toLowerCase()
      if (name === 'x-sendfile' && this.#sendfileFolders.length > 0) {
        const path = decode(name, headers[i + 1]!)
        const folder = this.#sendfileFolders.find((one) => isInside(one, path))
        if (folder === undefined) {
          throw new GatewayError(
            403,
            `X-Sendfile names ${path}, which is in none of the folders in xSendfile.`,
          )
        }
        return {
          folder,
          path,
          status,
          headers: without(headers, (other) => OF_BODY.has(other)),
        }
      }
      if (name === 'x-accel-redirect' && this.#accelFolders.length > 0) {
        const [folder, path] = this.#resolveAccel(decode(name, headers[i + 1]!.replace(/\?.*/, '')))
        return {
          folder,
          path,
          status: 200,
          headers: without(headers, (other) => !KEPT_WITH_ACCEL.has(other)),
        }
      }
    }
    return undefined
  }

  /**
   * Sends the file. `send` handles ranges, conditions and types. Rejects with GatewayError if the file does not exist,
   * or if a link leads out of its folder.
   */
  async send(request: IncomingMessage, response: ServerResponse, file: SendfileResponse): Promise<void> {
    const path = await this.#realFile(file)
    if (response.destroyed) return
    response.statusCode = file.status
    for (let i = 0; i < file.headers.length; i += 2) {
      response.appendHeader(file.headers[i]!, file.headers[i + 1]!)
    }
    await new Promise<void>((resolve, reject) => {
      this.#send(request, `/${encodeURIComponent(basename(path))}`, {
        root: dirname(path),
        dotfiles: 'allow',
        cacheControl: false,
        // A range of an error page is not what the client requested.
        acceptRanges: file.status === 200,
      })
        .on('error', (error: Error & { status?: number; headers?: Record<string, string> }) => {
          // A read error after the head was sent also arrives here.
          if (!response.headersSent) {
            for (const name of response.getHeaderNames()) response.removeHeader(name)
            for (const [name, value] of Object.entries(error.headers ?? {})) response.setHeader(name, value)
          }
          reject(new GatewayError(error.status ?? 500, error.message, { cause: error }))
        })
        .pipe(response)
      response.once('close', resolve)
    })
  }

  #resolveAccel(uri: string): [folder: string, path: string] {
    for (const [prefix, folder] of this.#accelFolders) {
      if (!uri.startsWith(prefix)) continue
      const path = resolve(folder, `.${sep}${uri.slice(prefix.length)}`)
      if (!isInside(folder, path)) break
      return [folder, path]
    }
    throw new GatewayError(404, `X-Accel-Redirect names ${uri}, which matches no prefix in xAccelRedirect.`)
  }

  async #realFile({ folder, path }: SendfileResponse): Promise<string> {
    try {
      const [realFolder, realFile] = await Promise.all([realpath(folder), realpath(path)])
      if (!isInside(realFolder, realFile)) {
        throw new GatewayError(403, `The application names ${path}, which is a link out of ${folder}.`)
      }
      if (!(await stat(realFile)).isFile()) {
        throw new GatewayError(403, `The application names ${path}, which is not a file.`)
      }
      return realFile
    } catch (error) {
      if (error instanceof GatewayError) throw error
      const status = (error as NodeJS.ErrnoException).code === 'EACCES' ? 403 : 404
      throw new GatewayError(status, `The application names a file: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}

function checkFolder(option: string, folder: string): void {
  if (typeof folder !== 'string' || !isAbsolute(folder)) {
    throw new TypeError(`${option}: ${JSON.stringify(folder)} must be an absolute path.`)
  }
}

// Loaded only when needed: a gateway that sends no files does not need the library.
function loadSend(): Send {
  try {
    return createRequire(import.meta.url)('send')
  } catch (error) {
    throw new TypeError('xSendfile and xAccelRedirect need the package `send`: npm install send', {
      cause: error,
    })
  }
}

// lighttpd and nginx percent-decode the value, too.
function decode(name: string, value: string): string {
  let path = ''
  try {
    path = decodeURIComponent(Buffer.from(value, 'latin1').toString())
  } catch {}
  if (path === '' || path.includes('\0')) {
    throw new GatewayError(
      404,
      `The value of ${name} is not a percent-encoded path: ${JSON.stringify(value)}`,
    )
  }
  return path
}

function isInside(folder: string, path: string): boolean {
  if (!isAbsolute(path)) return false
  const inner = relative(folder, path)
  return inner !== '..' && !inner.startsWith(`..${sep}`) && !isAbsolute(inner)
}

function without(headers: readonly string[], isLeftOut: (lowerName: string) => boolean): string[] {
  return headers.filter((_, i) => !isLeftOut(headers[i - (i % 2)]!.toLowerCase()))
}
