import { yamlWord } from './quote.ts'
import { serveWords } from './serve-words.ts'
import { type HostAndPort, httpsOrigin, type Site, type Statics, type Tls } from './site.ts'
import { APP_READ_TIMEOUT, type Config, HASHED_COMMENT, header, howToStart } from './target.ts'
import { indent, lines } from './text.ts'

/** Builds a complete `h2o.conf`. */
export function h2o(site: Site): Config {
  const path = '/etc/h2o/h2o.conf'
  const check = `h2o -t -c ${path}`
  const reload = 'systemctl restart h2o'
  const { serverName, listen, tls, mount, statics, maxBody } = site
  const app = fastcgi(site)
  const text = lines(
    header(
      `H2O for ${serverName}`,
      `Save this as ${path}. If that file exists, add what is below \`hosts\` to its \`hosts\`.\nThen: ${check} && ${reload}`,
      howToStart(site),
    ),
    '',
    '# The largest request body, in bytes. H2O responds to a larger one with a 413.',
    `limit-request-body: ${maxBody}`,
    '# In seconds: the longest time that a client may take to send the request headers.',
    'http1-request-timeout: 15',
    '',
    'hosts:',
    tls && lines(`  "${serverName}:${tls.redirectFrom.port}":`, indent(redirect(site, tls), 4)),
    `  "${serverName}:${listen.port}":`,
    indent(listener(listen, tls)),
    '    paths:',
    statics?.hashed && indent(filePaths(hashedOf(statics, statics.hashed), app), 6),
    statics && indent(filePaths(statics, app), 6),
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
    '    # 308 keeps the method; with 301 a POST becomes a GET.',
    `    redirect: { status: 308, url: "${httpsOrigin(site)}/" }`,
  )
}

function paths(url: string, handlers: readonly string[]): string {
  return lines(`"${url}":`, ...handlers.map((text) => `  - ${indent(text, 4).trimStart()}`))
}

function filePaths(statics: Statics, app: string): string {
  return paths(`${statics.url}/`, statics.shared ? [...files(statics), app] : files(statics))
}

function hashedOf(statics: Statics, hashed: string): Statics {
  return { ...statics, folder: `${statics.folder}${hashed}`, url: `${statics.url}${hashed}`, hashed: '' }
}

function files({ folder, shared, hashed }: Statics): string[] {
  return [
    lines(
      'mruby.handler: |',
      indent(
        lines(
          '# Do not serve hidden files such as .env and .git. The path here is percent-encoded, as the client sent it.',
          'hidden = %r{(?:/|%2f)(?:\\.|%2e)(?!well-known/)}i',
          'lambda { |env| hidden.match(env["SCRIPT_NAME"] + env["PATH_INFO"]) ? [404, {}, []] : [399, {}, []] }',
        ),
        2,
      ),
    ),
    lines(
      shared && '# H2O serves the files that exist. Every other URL goes to the app.',
      `file.dir: ${yamlWord(folder)}`,
      'file.dirlisting: OFF',
      hashed === '' && HASHED_COMMENT,
      hashed === '' && 'expires: 365 days',
    ),
  ]
}

function fastcgi({ address }: Site): string {
  const at =
    'path' in address
      ? `{ type: unix, port: "${address.path}" }`
      : `{ type: tcp, host: "${address.host}", port: ${address.port} }`
  return lines(
    '# H2O cannot drop a client’s Proxy header, which becomes the variable HTTP_PROXY (httpoxy). fcgi-bridge drops it.',
    '# Another FastCGI app must drop it too.',
    `fastcgi.connect: ${at}`,
    '# In milliseconds: the longest time without output of the app.',
    `fastcgi.timeout.io: ${APP_READ_TIMEOUT * 1000}`,
  )
}
