import { hasHeader } from '../header-list.ts'
import type { ResponseLike } from '../response-like.ts'
import { isWebStream } from './body-source.ts'

/**
 * Removes Content-Encoding and Content-Length from the headers of a response that `fetch` returned and decoded. Both describe the bytes that
 * the upstream server sent (Fetch section 4.7). A handler can therefore return `fetch(upstream)` unchanged.
 */
export function removeEncodingIfDecoded(response: ResponseLike, headers: string[]): string[] {
  if (!hasHeader(headers, 'content-encoding') || !isDecoded(response, headers)) return headers
  const kept: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name !== 'content-encoding' && name !== 'content-length') kept.push(name, headers[i + 1]!)
  }
  return kept
}

// Only responses that `fetch` returned have a URL. For HEAD and 304 the body is null, and nothing was decoded. node-fetch has an option not to
// decode, and its responses have no web stream.
function isDecoded(response: ResponseLike, headers: readonly string[]): boolean {
  const { url, body } = response as Partial<Response>
  if (typeof url !== 'string' || url === '' || !isWebStream(body)) return false
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-encoding') continue
    // undici decodes all codings of a list. If it does not know one of them, it decodes none.
    for (const coding of headers[i + 1]!.toLowerCase().split(',')) {
      if (!isKnown(coding.trim())) return false
    }
  }
  return true
}

function isKnown(coding: string): boolean {
  return (
    coding === 'gzip' ||
    coding === 'x-gzip' ||
    coding === 'deflate' ||
    coding === 'br' ||
    (coding === 'zstd' && isZstdDecoded())
  )
}

// undici decodes zstd since 7.11, if Node has it.
function isZstdDecoded(): boolean {
  // Loaded on use, because few responses come from fetch().
  const zlib = process.getBuiltinModule('node:zlib')
  return 'createZstdDecompress' in zlib && isAtLeast(process.versions.undici, 7, 11)
}

function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = (version ?? '').split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
