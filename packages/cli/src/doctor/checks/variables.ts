import querystring from 'node:querystring'
import { type Examination, FORM, PLAIN_PATH, PLAIN_QUERY } from '../examination.ts'
import { type Finding, type Level, mend, mendFor, type ServerKind } from '../finding.ts'

interface Variable {
  name: string
  level: Level
  why: string
  /** The line of nginx, which sends what it is told and nothing else. */
  nginx: string
}

const NEEDED: readonly Variable[] = [
  {
    name: 'REQUEST_METHOD',
    level: 'error',
    why: 'Without it there is no request: it is refused.',
    nginx: 'fastcgi_param REQUEST_METHOD $request_method;',
  },
  {
    name: 'REQUEST_URI',
    level: 'error',
    why: 'The URL then has to be put together of what was decoded: what the client had encoded, as %2F, is lost.',
    nginx: 'fastcgi_param REQUEST_URI $request_uri;',
  },
  {
    name: 'QUERY_STRING',
    level: 'error',
    why: 'CGI/1.1 wants it, and there are apps that read the query there.',
    nginx: 'fastcgi_param QUERY_STRING $query_string;',
  },
  {
    name: 'SERVER_PROTOCOL',
    level: 'warning',
    why: 'CGI/1.1 wants it.',
    nginx: 'fastcgi_param SERVER_PROTOCOL $server_protocol;',
  },
  {
    name: 'SERVER_NAME',
    level: 'warning',
    why: 'CGI/1.1 wants it, and it is the host of a request that has none.',
    nginx: 'fastcgi_param SERVER_NAME $server_name;',
  },
  {
    name: 'SERVER_PORT',
    level: 'warning',
    why: 'CGI/1.1 wants it, and it is the port of a request that has no Host.',
    nginx: 'fastcgi_param SERVER_PORT $server_port;',
  },
  {
    name: 'REMOTE_ADDR',
    level: 'error',
    why: 'The app can not know who its client is: req.ip is undefined, and limits by address count everybody as one.',
    nginx: 'fastcgi_param REMOTE_ADDR $remote_addr;',
  },
]

const OF_BODIES: readonly Variable[] = [
  {
    name: 'CONTENT_LENGTH',
    level: 'error',
    why: 'The app can not tell a body that was cut short from a whole one, and many take it for none.',
    nginx: 'fastcgi_param CONTENT_LENGTH $content_length;',
  },
  {
    name: 'CONTENT_TYPE',
    level: 'error',
    why: 'The app can not know how to read a body: forms and JSON come out empty.',
    nginx: 'fastcgi_param CONTENT_TYPE $content_type;',
  },
]

/** Looks for variables that CGI/1.1 (RFC 3875 section 4.1) and apps want, in what a GET was sent. */
export function missingVariables(params: ReadonlyMap<string, string>, server: ServerKind): Finding[] {
  return NEEDED.filter(({ name }) => !params.has(name)).map((variable) => missing(variable, server))
}

/** Missing variables, and wrong ones. */
export async function checkVariables({ plain, form, server, prefix }: Examination): Promise<Finding[]> {
  const findings = missingVariables(plain.params, server)
  const target = `${prefix}${PLAIN_PATH}?${PLAIN_QUERY}`
  const uri = plain.params.get('REQUEST_URI')
  if (uri !== undefined && uri !== target) findings.push(wrongUri(uri, target, server))
  const query = plain.params.get('QUERY_STRING')
  // lighttpd decodes what it may, which means the same.
  if (query !== undefined && querystring.unescape(query) !== querystring.unescape(PLAIN_QUERY))
    findings.push(wrongQuery(query, server))
  if (form.echo !== undefined) {
    const { params } = form
    // A server may send them empty where there is nothing to say.
    const lost = OF_BODIES.filter(({ name }) => !params.get(name))
    const isChunked = params.has('HTTP_TRANSFER_ENCODING')
    for (const variable of lost) {
      if (variable.name === 'CONTENT_LENGTH' && isChunked) continue
      findings.push(missing(variable, server))
    }
    if (form.echo.bodyBytes !== FORM.length) findings.push(bodyLost(form.echo.bodyBytes, server))
  }
  return findings
}

function missing({ name, level, why, nginx }: Variable, server: ServerKind): Finding {
  return {
    code: `missing-${name.toLowerCase().replaceAll('_', '-')}`,
    level,
    seen: `The app is not told ${name}.`,
    why,
    mend: mendFor(server, {
      nginx: mend('in the location of the app; or all of them with `include fastcgi_params;`', nginx),
      other: mend(`Let the front server send ${name}: something in its config takes it out.`),
    }),
  }
}

function wrongUri(uri: string, target: string, server: ServerKind): Finding {
  return {
    code: 'wrong-request-uri',
    level: 'error',
    seen: `REQUEST_URI is ${uri}, where the client asked for ${target}.`,
    why: 'Apps take their URL from it, as it was sent: decoded or rewritten it is another one.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_param REQUEST_URI $request_uri;'),
      other: mend('Let the front server send the target of the request line, before any rewriting.'),
    }),
  }
}

function wrongQuery(query: string, server: ServerKind): Finding {
  const apache = mend('at the rewrite', 'RewriteRule ^ app.fcgi [L,QSA]')
  return {
    code: 'wrong-query-string',
    level: 'error',
    seen: `QUERY_STRING is '${query}', where the client sent '${PLAIN_QUERY}'.`,
    why: 'Apps that read the query there get another one than the client sent.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_param QUERY_STRING $query_string;'),
      'apache-fcgid': apache,
      'apache-proxy': apache,
      other: mend('Let the rewriting of the front server keep the query.'),
    }),
  }
}

function bodyLost(bytes: number, server: ServerKind): Finding {
  return {
    code: 'body-lost',
    level: 'error',
    seen: `Of a POST with ${FORM.length} bytes the app was sent ${bytes}.`,
    why: 'Forms and uploads do not arrive.',
    mend: mendFor(server, {
      nginx: mend('in the location of the app', 'fastcgi_pass_request_body on;'),
      other: mend('Let the front server send the bodies of requests.'),
    }),
  }
}
