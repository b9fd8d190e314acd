import querystring from 'node:querystring'
import { type Examination, FORM, PLAIN_PATH, PLAIN_QUERY } from '../examination.ts'
import { type Finding, fix, fixFor, type Level, type ServerKind } from '../finding.ts'

interface Variable {
  name: string
  level: Level
  why: string
  /** The line of nginx's config that sends the variable. nginx sends only the variables in its config. */
  nginx: string
}

const REQUIRED: readonly Variable[] = [
  {
    name: 'REQUEST_METHOD',
    level: 'error',
    why: 'A request without a method is invalid, and fcgi-bridge responds to it with a 400.',
    nginx: 'fastcgi_param REQUEST_METHOD $request_method;',
  },
  {
    name: 'REQUEST_URI',
    level: 'error',
    why: 'The URL must then be built from decoded variables, which lose the encoding of the client, such as %2F.',
    nginx: 'fastcgi_param REQUEST_URI $request_uri;',
  },
  {
    name: 'QUERY_STRING',
    level: 'error',
    why: 'CGI/1.1 requires it, and some apps read the query from it.',
    nginx: 'fastcgi_param QUERY_STRING $query_string;',
  },
  {
    name: 'SERVER_PROTOCOL',
    level: 'warning',
    why: 'CGI/1.1 requires it.',
    nginx: 'fastcgi_param SERVER_PROTOCOL $server_protocol;',
  },
  {
    name: 'SERVER_NAME',
    level: 'warning',
    why: 'CGI/1.1 requires it, and apps use it as the host of a request without a Host header.',
    nginx: 'fastcgi_param SERVER_NAME $server_name;',
  },
  {
    name: 'SERVER_PORT',
    level: 'warning',
    why: 'CGI/1.1 requires it, and apps use it as the port of a request without a Host header.',
    nginx: 'fastcgi_param SERVER_PORT $server_port;',
  },
  {
    name: 'REMOTE_ADDR',
    level: 'error',
    why: 'The app does not know the client’s address: req.ip is undefined, and rate limits count all clients as one.',
    nginx: 'fastcgi_param REMOTE_ADDR $remote_addr;',
  },
]

const REQUIRED_WITH_BODY: readonly Variable[] = [
  {
    name: 'CONTENT_LENGTH',
    level: 'error',
    why: 'The app cannot detect a truncated body, and many apps read no body without it.',
    nginx: 'fastcgi_param CONTENT_LENGTH $content_length;',
  },
  {
    name: 'CONTENT_TYPE',
    level: 'error',
    why: 'The app does not know how to parse a body, so forms and JSON are empty.',
    nginx: 'fastcgi_param CONTENT_TYPE $content_type;',
  },
]

/** Finds the variables that CGI/1.1 (RFC 3875 section 4.1) and apps require, and that are missing in the params of a GET. */
export function missingVariables(params: ReadonlyMap<string, string>, server: ServerKind): Finding[] {
  return REQUIRED.filter(({ name }) => !params.has(name)).map((variable) => missing(variable, server))
}

/** Checks for missing and wrong variables, and whether a small request body reaches the app. */
export async function checkVariables({ plain, form, server, prefix }: Examination): Promise<Finding[]> {
  const findings = missingVariables(plain.params, server)
  const target = `${prefix}${PLAIN_PATH}?${PLAIN_QUERY}`
  const uri = plain.params.get('REQUEST_URI')
  if (uri !== undefined && uri !== target) findings.push(wrongUri(uri, target, server))
  const query = plain.params.get('QUERY_STRING')
  // lighttpd decodes percent-encoded characters if that does not change the meaning of the query.
  if (query !== undefined && querystring.unescape(query) !== querystring.unescape(PLAIN_QUERY))
    findings.push(wrongQuery(query, server))
  if (form.echo !== undefined) {
    const { params } = form
    // An empty value counts as missing.
    const lost = REQUIRED_WITH_BODY.filter(({ name }) => !params.get(name))
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
    problem: `The front server does not send the variable ${name} to the app.`,
    why,
    fix: fixFor(server, {
      nginx: fix('in the location of the app; `include fastcgi_params;` adds all such variables', nginx),
      other: fix(`Configure the front server to send ${name}: something in its config removes it.`),
    }),
  }
}

function wrongUri(uri: string, target: string, server: ServerKind): Finding {
  return {
    code: 'wrong-request-uri',
    level: 'error',
    problem: `REQUEST_URI is ${uri}, but the client requested ${target}.`,
    why: 'Apps read the URL from it as the client sent it. If it is decoded or rewritten, they get a wrong URL.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_param REQUEST_URI $request_uri;'),
      other: fix('Configure the front server to send the target of the request line, before any rewriting.'),
    }),
  }
}

function wrongQuery(query: string, server: ServerKind): Finding {
  const apache = fix('in place of the rewrite rule', 'RewriteRule ^ app.fcgi [L,QSA]')
  return {
    code: 'wrong-query-string',
    level: 'error',
    problem: `QUERY_STRING is '${query}', but the client sent '${PLAIN_QUERY}'.`,
    why: 'Apps that read the query from it get a wrong one.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_param QUERY_STRING $query_string;'),
      'apache-fcgid': apache,
      'apache-proxy': apache,
      other: fix('Configure the front server’s rewrites to keep the query.'),
    }),
  }
}

function bodyLost(bytes: number, server: ServerKind): Finding {
  return {
    code: 'body-lost',
    level: 'error',
    problem: `The body of a POST has ${FORM.length} bytes, and the app received ${bytes} of them.`,
    why: 'Forms and uploads do not reach the app.',
    fix: fixFor(server, {
      nginx: fix('in the location of the app', 'fastcgi_pass_request_body on;'),
      other: fix('Configure the front server to send request bodies to the app.'),
    }),
  }
}
