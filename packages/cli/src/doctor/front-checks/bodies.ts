import { type Examination, FORM } from '../examination.ts'
import { type Finding, fix, fixFor, notInHtaccess } from '../finding.ts'

const KIB = 1024
const MIB = KIB * KIB
// The smallest limit that a fix suggests: enough for a photo.
const SUGGESTED_MIN = 20 * MIB

/** Checks whether uploads reach the app: large ones, and those without a Content-Length. */
export async function checkBodies(examination: Examination): Promise<Finding[]> {
  // If no body at all reaches the app, checkVariables() reports it.
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
  const mib = Math.ceil(Math.max(upload, SUGGESTED_MIN) / MIB)
  return {
    code: 'body-limit',
    level: 'warning',
    problem: `An upload of ${formatSize(upload)} ${howRefused(status)}. ${passes === 0 ? 'Neither does one of 64 KiB' : `One of ${formatSize(passes)} reaches it`}.`,
    why: 'The app cannot handle such an upload, and cannot respond with its own error message.',
    fix: fixFor(server, {
      nginx: fix('in the server, or the location of the app', `client_max_body_size ${mib}m;`),
      'apache-fcgid':
        // A body above FcgidMaxRequestLen gets a 500. A body above LimitRequestBody gets a 413. After a rewrite, the app is called
        // without that body instead.
        status !== 0 && status < 500
          ? fix('in the virtual host, or an .htaccess', `LimitRequestBody ${mib * MIB}`)
          : notInHtaccess(
              fix('in the virtual host', `FcgidMaxRequestLen ${mib * MIB}`),
              `ask the hosting provider, or upload in pieces of less than ${formatSize(Math.max(passes, 64 * KIB))}.`,
            ),
      lighttpd: fix('in the block of the app; the unit is KiB', `server.max-request-size = ${mib * KIB}`),
      caddy: fix('next to the reverse_proxy of the app', 'request_body {', `  max_size ${mib}MiB`, '}'),
      h2o: fix('at the top level of the config', `limit-request-body: ${mib * MIB}`),
      other: fix(`Configure the front server, and every proxy before it, to accept bodies of ${mib} MiB.`),
    }),
  }
}

function howRefused(status: number): string {
  if (status === 0) return 'does not reach the app: the front server closes the connection'
  return status < 400
    ? 'does not reach the app in full'
    : `does not reach the app: the front server responds with ${status}`
}

// Undefined: the upload reached the app. Otherwise the status of the response, or 0 if the connection was closed without one.
async function refusal({ send }: Examination, size: number): Promise<number | undefined> {
  try {
    const { echo, response } = await send({
      method: 'POST',
      path: '/doctor/upload',
      headers: ['Content-Type', 'application/octet-stream'],
      body: Buffer.alloc(size),
      expectContinue: true,
    })
    return echo?.bodyBytes === size ? undefined : response.status
  } catch {
    return 0
  }
}

// The body is sent in two pieces of this size. Together they are larger than HAProxy's buffer of 16 KiB: HAProxy adds a
// Content-Length to a body that fits it. They are smaller than the default FcgidMaxRequestLen of 128 KiB.
const CHUNK = 24 * KIB

async function checkChunked(examination: Examination): Promise<Finding | undefined> {
  const { send, server } = examination
  const pieces = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)]
  const size = 2 * CHUNK
  const { echo, response } = await send({ method: 'POST', path: '/doctor/chunked', body: pieces })
  if (echo?.bodyBytes === size) return undefined
  return {
    code: 'chunked',
    // For HAProxy this is a limit of the server, not a fault of its config.
    level: server === 'haproxy' ? 'note' : 'warning',
    problem:
      echo === undefined
        ? `The front server responds with ${response.status} to an upload of ${formatSize(size)} without a Content-Length.`
        : `Of an upload of ${size} bytes without a Content-Length, the app receives ${echo.bodyBytes} bytes.`,
    why: 'Clients that send a body while they create it use chunked encoding. They cannot upload to the app.',
    fix: fixFor(server, {
      lighttpd: fix(
        'in place of the present value of server.stream-request-body',
        'server.stream-request-body = 0',
      ),
      haproxy: fix(
        'in global: a chunked upload must fit into the buffer, and each connection has two buffers',
        'tune.bufsize 65536',
      ),
      other: fix('Configure the front server to accept requests with Transfer-Encoding: chunked.'),
    }),
  }
}

function formatSize(bytes: number): string {
  return bytes < MIB ? `${Math.round(bytes / KIB)} KiB` : `${Math.round((bytes / MIB) * 10) / 10} MiB`
}
