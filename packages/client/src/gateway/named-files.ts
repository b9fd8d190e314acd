import { realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { basename, dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { GatewayError } from './error.ts'

/** From where the gateway sends the files that the application names in place of a body. */
export interface FileOptions {
  /**
   * The folder, or folders, whose files an `X-Sendfile` header may name, by absolute paths, as lighttpd's
   * `x-sendfile-docroot` has it. Default: none, and the header is dropped.
   */
  readonly xSendfile?: string | readonly string[]
  /**
   * Which folder stands for which paths in an `X-Accel-Redirect` header: `{ '/protected/': '/srv/files' }`, as nginx has it in
   * `location /protected/ { internal; alias /srv/files/; }`. Default: none, and the header is dropped.
   */
  readonly xAccelRedirect?: Readonly<Record<string, string>>
}

/** A file that stands in for the body of an answer. */
export interface NamedFile {
  readonly folder: string
  readonly path: string
  readonly status: number
  /** [name, value, name, value…] */
  readonly headers: readonly string[]
}

// What nginx keeps of an answer with X-Accel-Redirect.
const KEPT_WITH_ACCEL = new Set([
  'cache-control',
  'content-disposition',
  'content-type',
  'expires',
  'set-cookie',
])
// About the body that is not sent.
const OF_BODY = new Set(['accept-ranges', 'content-length', 'content-range'])

type Send = typeof import('send')

/** Sends files that the application names, from the folders that it may name them in. */
export class NamedFiles {
  readonly #sendfileFolders: readonly string[]
  readonly #accelFolders: readonly [prefix: string, folder: string][]
  readonly #send: Send

  /** Throws TypeError for folders that are no absolute paths, prefixes that are no paths, and where `send` is not installed. */
  constructor({ xSendfile = [], xAccelRedirect = {} }: FileOptions) {
    this.#sendfileFolders = typeof xSendfile === 'string' ? [xSendfile] : xSendfile
    // The longest prefix that fits is the one.
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

  /** The file that an answer with these headers names; undefined where it names none. Throws GatewayError where it must not. */
  find(status: number, headers: readonly string[]): NamedFile | undefined {
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!.toLowerCase()
      if (name === 'x-sendfile' && this.#sendfileFolders.length > 0) {
        const path = decode(name, headers[i + 1]!)
        const folder = this.#sendfileFolders.find((one) => isInside(one, path))
        if (folder === undefined) {
          throw new GatewayError(403, `X-Sendfile names ${path}, which is in no folder of xSendfile.`)
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
   * Sends it: ranges, conditions and types are those of `send`. Rejects with GatewayError where there is no such file, or where it is
   * outside of its folder, behind a link.
   */
  async send(request: IncomingMessage, response: ServerResponse, file: NamedFile): Promise<void> {
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
        // A part of what comes with an error is none that was asked for.
        acceptRanges: file.status === 200,
      })
        .on('error', (error: Error & { status?: number; headers?: Record<string, string> }) => {
          // A read that fails half-way comes here too, when the head is out.
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
    throw new GatewayError(
      404,
      `X-Accel-Redirect names ${uri}, which no prefix of xAccelRedirect stands for.`,
    )
  }

  async #realFile({ folder, path }: NamedFile): Promise<string> {
    try {
      const [realFolder, realFile] = await Promise.all([realpath(folder), realpath(path)])
      if (!isInside(realFolder, realFile)) {
        throw new GatewayError(403, `The application names ${path}, which is a link out of ${folder}.`)
      }
      if (!(await stat(realFile)).isFile()) {
        throw new GatewayError(403, `The application names ${path}, which is no file.`)
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

// Whoever sends no files needs no library for it.
function loadSend(): Send {
  try {
    return createRequire(import.meta.url)('send')
  } catch (error) {
    throw new TypeError('xSendfile and xAccelRedirect need the package `send`: npm install send', {
      cause: error,
    })
  }
}

// Both lighttpd and nginx take the value for percent-encoded.
function decode(name: string, value: string): string {
  let path = ''
  try {
    path = decodeURIComponent(Buffer.from(value, 'latin1').toString())
  } catch {
    // Below.
  }
  if (path === '' || path.includes('\0')) {
    throw new GatewayError(404, `The value of ${name} is no percent-encoded path: ${JSON.stringify(value)}`)
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
