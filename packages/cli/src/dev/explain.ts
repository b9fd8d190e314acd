import type { Param } from './exchange-log.ts'
import type { ReadRequest } from './messages.ts'

/** A value that the app sees, and its sources. */
interface Explained {
  what: string
  value: string
  /** The params that it comes from. */
  from: string[]
  /** Why these params decide. */
  why: string
}

/** Explains how the app reads a request: its URL, mount and client. Empty if the request never reached the app. */
export function explain(params: readonly Param[], read: ReadRequest | undefined): Explained[] {
  if (read === undefined) return []
  const of = new Map(params)
  const [, scheme = '', authority = '', target = ''] = /^(\w+):\/\/([^/?#]*)(.*)$/.exec(read.url) ?? []
  return [
    explainScheme(of, scheme),
    explainAuthority(of, authority),
    explainTarget(of, target),
    explainMount(of, read.mount, target),
    {
      what: 'client',
      value: read.remoteAddress ?? 'unknown',
      from: ['REMOTE_ADDR'],
      why: 'The client’s address, from the front server. The app sees it as req.ip or context.remoteAddress.',
    },
  ]
}

/** The request's headers, each with the param that carries it. */
export function explainHeaders(
  read: ReadRequest | undefined,
): { name: string; value: string; from: string }[] {
  const headers: { name: string; value: string; from: string }[] = []
  const list = read?.headers ?? []
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!
    const variable = name.toUpperCase().replaceAll('-', '_')
    const isPlain = variable === 'CONTENT_TYPE' || variable === 'CONTENT_LENGTH'
    headers.push({ name, value: list[i + 1]!, from: isPlain ? variable : `HTTP_${variable}` })
  }
  return headers
}

function explainScheme(params: ReadonlyMap<string, string>, value: string): Explained {
  const what = 'scheme'
  const https = params.get('HTTPS')
  if (https !== undefined && /^(on|1)$/i.test(https)) {
    return { what, value, from: ['HTTPS'], why: `HTTPS is ${https}.` }
  }
  if (params.has('REQUEST_SCHEME')) {
    return { what, value, from: ['REQUEST_SCHEME'], why: 'HTTPS is not on, and REQUEST_SCHEME is set.' }
  }
  return { what, value, from: [], why: 'HTTPS is not on, and there is no REQUEST_SCHEME.' }
}

function explainAuthority(params: ReadonlyMap<string, string>, value: string): Explained {
  const what = 'host'
  if (params.get('HTTP_HOST'))
    return { what, value, from: ['HTTP_HOST'], why: 'The client sent a Host header.' }
  return { what, value, from: ['SERVER_NAME', 'SERVER_PORT'], why: 'The client sent no Host header.' }
}

function explainTarget(params: ReadonlyMap<string, string>, value: string): Explained {
  const what = 'path and query'
  if (params.get('REQUEST_URI')) {
    return { what, value, from: ['REQUEST_URI'], why: 'The path as the client sent it, not decoded.' }
  }
  const from = ['SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING']
  return { what, value, from, why: 'There is no REQUEST_URI, so the path is built from these and encoded.' }
}

function explainMount(params: ReadonlyMap<string, string>, mount: string, target: string): Explained {
  const what = 'mount'
  if (mount === '') {
    const why = params.get('SCRIPT_NAME')
      ? 'The path is not below SCRIPT_NAME.'
      : 'The app is mounted at the root.'
    return { what, value: '(none)', from: ['SCRIPT_NAME'], why }
  }
  const rest = target.slice(mount.length) || '/'
  return {
    what,
    value: mount,
    from: ['SCRIPT_NAME', 'PATH_INFO'],
    why: `Set by --mount. Express sees req.baseUrl ${mount}, and req.url ${rest.startsWith('/') ? rest : `/${rest}`}.`,
  }
}
