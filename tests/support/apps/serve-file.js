import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'

/**
 * Serves a file as fetch handlers do: with validators, If-None-Match, and single byte ranges.
 *
 * @param {Request} request
 * @param {URL} file
 * @returns {Promise<Response>}
 */
export async function serveFile(request, file) {
  const { size, mtimeMs } = await stat(file)
  const headers = new Headers({
    'accept-ranges': 'bytes',
    'content-type': 'text/plain; charset=utf-8',
    etag: `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`,
    'last-modified': new Date(mtimeMs).toUTCString(),
  })
  if (request.headers.get('if-none-match') === headers.get('etag')) {
    return new Response(null, { status: 304, headers })
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get('range') ?? '')
  const start = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
  if (start > end) {
    headers.set('content-range', `bytes */${size}`)
    return new Response(null, { status: 416, headers })
  }
  if (range) headers.set('content-range', `bytes ${start}-${end}/${size}`)
  headers.set('content-length', String(end - start + 1))
  const body = Readable.toWeb(createReadStream(file, { start, end }))
  return new Response(body, { status: range ? 206 : 200, headers })
}
