import type { Examination } from '../examination.ts'
import { type Finding, fix, fixFor, notInHtaccess } from '../finding.ts'
import { PROBE_RESPONSE_HEADER } from '../probe.ts'

// The size of a response header in bytes: about a session cookie and a Content-Security-Policy together.
const LONG_HEADER = 6000
const METHODS = ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Checks whether the front server passes on the app's error pages and long response headers, and forwards all methods. */
export async function checkResponses(examination: Examination): Promise<Finding[]> {
  const found = [
    await checkErrorPages(examination),
    await checkLongHeader(examination),
    await checkMethods(examination),
  ]
  return found.filter((one) => one !== undefined)
}

async function checkErrorPages({ send, server }: Examination): Promise<Finding | undefined> {
  const { response } = await send({ path: '/doctor/missing', action: 'status:404' })
  if (response.status === 404 && response.text.includes('"probe":true')) return undefined
  return {
    code: 'error-pages',
    level: 'note',
    problem: `The front server replaces the app's 404 response with another page, with status ${response.status}.`,
    why: 'Error messages of the app, such as the JSON of an API, do not reach the client.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_intercept_errors off;'),
      'apache-proxy': notInHtaccess(
        fix('in the virtual host', 'ProxyErrorOverride Off'),
        'ask the hosting provider.',
      ),
      lighttpd: fix('in the block of the app', 'server.error-intercept = "disable"'),
      other: fix('Configure the front server to pass on the app’s responses of every status.'),
    }),
  }
}

async function checkLongHeader({ send, server }: Examination): Promise<Finding | undefined> {
  const { response } = await send({ path: '/doctor/head', action: `head:${LONG_HEADER}` })
  if (String(response.headers['x-long']).length === LONG_HEADER) return undefined
  return {
    code: 'head-size',
    level: 'note',
    problem: `The app sent a response header of ${LONG_HEADER} bytes, and the client got status ${response.status}.`,
    why: 'Session cookies and security policies can be that long.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_buffer_size 16k;', 'fastcgi_buffers 8 16k;'),
      haproxy: fix('in global', 'tune.bufsize 32768'),
      other: fix('Raise the front server’s limit for the size of response headers.'),
    }),
  }
}

async function checkMethods({ send, form, server }: Examination): Promise<Finding | undefined> {
  const refused = form.echo === undefined ? [`POST with ${form.response.status}`] : []
  for (const method of METHODS) {
    const { response } = await send({ method, path: '/doctor/method' })
    if (response.headers[PROBE_RESPONSE_HEADER] === undefined)
      refused.push(`${method} with ${response.status}`)
  }
  if (refused.length === 0) return undefined
  return {
    code: 'methods',
    level: 'note',
    problem: `The front server does not forward these methods, but responds itself: ${refused.join(', ')}.`,
    why: 'These requests never reach the app.',
    fix: fixFor(server, {
      nginx: fix('Remove limit_except, and similar directives, from the location of the app.'),
      'apache-proxy': fix(
        'Remove <Limit>, <LimitExcept> and AllowMethods from the sections that apply to the app.',
      ),
      'apache-fcgid': fix(
        'Remove <Limit>, <LimitExcept> and AllowMethods from the sections that apply to the app.',
      ),
      other: fix('Configure the front server to forward requests of every method.'),
    }),
  }
}
