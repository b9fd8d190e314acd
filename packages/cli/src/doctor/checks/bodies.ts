import { type Examination, FORM } from '../examination.ts'
import { type Finding, mend, mendFor, notInHtaccess } from '../finding.ts'

const KIB = 1024
const MIB = KIB * KIB
// What a mend allows at least: a photo.
const ALLOWED = 20 * MIB

/** Whether uploads come through: large ones, and those without a length. */
export async function checkBodies(examination: Examination): Promise<Finding[]> {
  // No body at all comes through: that is told elsewhere.
  if (examination.form.echo?.bodyBytes !== FORM.length) return []
  return [(await checkLimit(examination)) ?? [], (await checkChunked(examination)) ?? []].flat()
}

async function checkLimit(examination: Examination): Promise<Finding | undefined> {
  const { upload, server } = examination
  const status = await refusal(examination, upload)
  if (status === undefined) return undefined
  let passes = 0
  for (let size = 64 * KIB; size < upload; size *= 2) {
    if ((await refusal(examination, size)) !== undefined) break
    passes = size
  }
  const allowed = Math.max(upload, ALLOWED)
  const mib = Math.ceil(allowed / MIB)
  return {
    code: 'body-limit',
    level: 'warning',
    seen: `An upload of ${formatSize(upload)} ${howRefused(status)}; ${passes === 0 ? 'one of 64 KiB, too' : `one of ${formatSize(passes)} passes`}.`,
    why: 'The app never sees it, and cannot respond with anything better.',
    mend: mendFor(server, {
      nginx: mend('in the server, or the location of the app', `client_max_body_size ${mib}m;`),
      'apache-fcgid':
        // Above FcgidMaxRequestLen it is a 500. Above LimitRequestBody it is a 413, or, behind a rewrite, an app without the body.
        status !== 0 && status < 500
          ? mend('in the virtual host, or an .htaccess', `LimitRequestBody ${mib * MIB}`)
          : notInHtaccess(
              mend('in the virtual host', `FcgidMaxRequestLen ${mib * MIB}`),
              `ask the host, or upload in pieces of less than ${formatSize(Math.max(passes, 64 * KIB))}.`,
            ),
      lighttpd: mend('in KiB', `server.max-request-size = ${mib * KIB}`),
      caddy: mend('beside the reverse_proxy of the app', 'request_body {', `  max_size ${mib}MiB`, '}'),
      h2o: mend('of the whole server', `limit-request-body: ${mib * MIB}`),
      other: mend(`Let the front server, and every proxy before it, take bodies of ${mib} MiB.`),
    }),
  }
}

function howRefused(status: number): string {
  if (status === 0) return 'is refused with a cut connection'
  return status < 400 ? 'does not reach the app whole' : `is refused with ${status}`
}

// The status that an upload is refused with, 0 where the connection is cut; undefined where it comes through.
async function refusal({ ask }: Examination, size: number): Promise<number | undefined> {
  try {
    const { echo, answer } = await ask({
      method: 'POST',
      path: '/doctor/upload',
      headers: ['Content-Type', 'application/octet-stream'],
      body: Buffer.alloc(size),
      expectContinue: true,
    })
    return echo?.bodyBytes === size ? undefined : answer.status
  } catch {
    return 0
  }
}

// Two pieces, together more than the buffer of any front server: HAProxy's is 16 KiB, and what fits into it gets a length.
// Less than FcgidMaxRequestLen, which is 128 KiB by default.
const CHUNK = 24 * KIB

async function checkChunked(examination: Examination): Promise<Finding | undefined> {
  const { ask, server } = examination
  const pieces = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)]
  const size = 2 * CHUNK
  const { echo, answer } = await ask({ method: 'POST', path: '/doctor/chunked', body: pieces })
  if (echo?.bodyBytes === size) return undefined
  return {
    code: 'chunked',
    // It is the limit of this server, not a mistake in its config.
    level: server === 'haproxy' ? 'note' : 'warning',
    seen:
      echo === undefined
        ? `An upload of ${formatSize(size)} in chunks is refused with ${answer.status}.`
        : `Of an upload in chunks with ${size} bytes the app is sent ${echo.bodyBytes}.`,
    why: 'Programs that make a body while they send it have no length to tell, and cannot reach the app.',
    mend: mendFor(server, {
      lighttpd: mend('in place of what is there', 'server.stream-request-body = 0'),
      haproxy: mend(
        'in global: an upload in chunks has to fit into the buffer, and each connection has two buffers',
        'tune.bufsize 65536',
      ),
      other: mend('Let the front server take requests with Transfer-Encoding: chunked.'),
    }),
  }
}

function formatSize(bytes: number): string {
  return bytes < MIB ? `${Math.round(bytes / KIB)} KiB` : `${Math.round((bytes / MIB) * 10) / 10} MiB`
}
