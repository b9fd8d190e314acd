import { yamlWord } from './quote.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, serveWords, type Tls } from './site.ts'
import { APP_SILENCE, type Config, header, runsByItself } from './target.ts'
import { indent, lines } from './text.ts'

/** The whole config of H2O. */
export function h2o(site: Site): Config {
  const path = '/etc/h2o/h2o.conf'
  const check = `h2o -t -c ${path}`
  const reload = 'systemctl restart h2o'
  const { serverName, listen, tls, mount, statics, maxBody } = site
  const app = fastcgi(site)
  const text = lines(
    header(
      `H2O for ${serverName}`,
      `Save this as ${path}, or put what is below \`hosts\` into the one that is there.\nThen: ${check} && ${reload}`,
      runsByItself(site),
    ),
    '',
    '# The largest request body, in bytes; more is a 413.',
    `limit-request-body: ${maxBody}`,
    '# Seconds: how long a client may take for its request’s head.',
    'http1-request-timeout: 15',
    '',
    'hosts:',
    tls && lines(`  "${serverName}:${tls.redirectFrom.port}":`, indent(redirect(site, tls), 4)),
    `  "${serverName}:${listen.port}":`,
    indent(listener(listen, tls)),
    '    paths:',
    statics &&
      indent(paths(`${statics.url}/`, statics.shared ? [...files(statics), app] : files(statics)), 6),
    !(statics?.shared && mount === '') && indent(paths(mount || '/', [app]), 6),
    '',
  )
  return { files: [{ path, text }], check, reload, app: serveWords(site) }
}

function listener({ host, port }: HostAndPort, tls?: Tls): string {
  return lines(
    'listen:',
    host && `  host: "${host}"`,
    `  port: ${port}`,
    tls && '  ssl:',
    tls && `    certificate-file: ${yamlWord(tls.cert)}`,
    tls && `    key-file: ${yamlWord(tls.key)}`,
    tls && '    minimum-version: TLSv1.2',
  )
}

function redirect(site: Site, { redirectFrom }: Tls): string {
  return lines(
    listener(redirectFrom),
    'paths:',
    '  "/":',
    '    # 308 keeps the method; 301 makes a GET of a POST.',
    `    redirect: { status: 308, url: "${httpsOrigin(site)}/" }`,
  )
}

function paths(url: string, handlers: readonly string[]): string {
  return lines(`"${url}":`, ...handlers.map((text) => `  - ${indent(text, 4).trimStart()}`))
}

function files({ folder, shared }: Statics): string[] {
  return [
    lines(
      'mruby.handler: |',
      indent(
        lines(
          '# No .env, no .git. The path is as the client sent it.',
          'hidden = %r{(?:/|%2f)(?:\\.|%2e)(?!well-known/)}i',
          'lambda { |env| hidden.match(env["SCRIPT_NAME"] + env["PATH_INFO"]) ? [404, {}, []] : [399, {}, []] }',
        ),
        2,
      ),
    ),
    lines(
      shared && '# What is a file is served as one; every other URL goes to the app.',
      `file.dir: ${yamlWord(folder)}`,
      'file.dirlisting: OFF',
    ),
  ]
}

function fastcgi({ address }: Site): string {
  const at =
    'path' in address
      ? `{ type: unix, port: "${address.path}" }`
      : `{ type: tcp, host: "${address.host}", port: ${address.port} }`
  return lines(
    '# H2O can not drop a client’s Proxy header, HTTP_PROXY (httpoxy): fcgi-bridge does, other apps may not.',
    `fastcgi.connect: ${at}`,
    '# Milliseconds: how long the app may stay silent in a request.',
    `fastcgi.timeout.io: ${APP_SILENCE * 1000}`,
  )
}
