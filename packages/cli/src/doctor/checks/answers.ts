import type { Examination } from '../examination.ts'
import { type Finding, mend, mendFor, notInHtaccess } from '../finding.ts'
import { PROBED_HEADER } from '../probe.ts'

// A session in a cookie, and a policy or two.
const LONG_HEAD = 6000
const METHODS = ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Whether answers reach the client as the app gives them: errors in its own words, long heads, whatever the method was. */
export async function checkAnswers(examination: Examination): Promise<Finding[]> {
  const found = [
    await checkErrors(examination),
    await checkHead(examination),
    await checkMethods(examination),
  ]
  return found.filter((one) => one !== undefined)
}

async function checkErrors({ ask, server }: Examination): Promise<Finding | undefined> {
  const { answer } = await ask({ path: '/doctor/missing', action: 'status:404' })
  if (answer.status === 404 && answer.text.includes('"probe":true')) return undefined
  return {
    code: 'error-pages',
    level: 'note',
    seen: `In place of the app's own 404 the client is shown another page, with ${answer.status}.`,
    why: 'What an app says of an error, as an API does in JSON, does not reach the client.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_intercept_errors off;'),
      'apache-proxy': notInHtaccess(mend('in the virtual host', 'ProxyErrorOverride Off'), 'ask the host.'),
      lighttpd: mend('where the app is', 'server.error-intercept = "disable"'),
      other: mend('Let the front server hand on the answers of the app whatever their status is.'),
    }),
  }
}

async function checkHead({ ask, server }: Examination): Promise<Finding | undefined> {
  const { answer } = await ask({ path: '/doctor/head', action: `head:${LONG_HEAD}` })
  if (String(answer.headers['x-long']).length === LONG_HEAD) return undefined
  return {
    code: 'head-size',
    level: 'note',
    seen: `An answer with a header of ${LONG_HEAD} bytes comes out as ${answer.status}.`,
    why: 'Sessions in cookies and long policies go beyond that.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_buffer_size 16k;', 'fastcgi_buffers 8 16k;'),
      haproxy: mend('in global', 'tune.bufsize 32768'),
      other: mend('Let the front server take longer heads.'),
    }),
  }
}

async function checkMethods({ ask, form, server }: Examination): Promise<Finding | undefined> {
  const refused = form.echo === undefined ? [`POST with ${form.answer.status}`] : []
  for (const method of METHODS) {
    const { answer } = await ask({ method, path: '/doctor/method' })
    if (answer.headers[PROBED_HEADER] === undefined) refused.push(`${method} with ${answer.status}`)
  }
  if (refused.length === 0) return undefined
  return {
    code: 'methods',
    level: 'note',
    seen: `The front server answers itself: ${refused.join(', ')}.`,
    why: 'The app never sees these requests.',
    mend: mendFor(server, {
      nginx: mend('Take limit_except, and the like, out of the location of the app.'),
      'apache-proxy': mend('Take <Limit>, <LimitExcept> and AllowMethods out of what holds for the app.'),
      'apache-fcgid': mend('Take <Limit>, <LimitExcept> and AllowMethods out of what holds for the app.'),
      other: mend('Let the front server hand on requests whatever their method is.'),
    }),
  }
}
