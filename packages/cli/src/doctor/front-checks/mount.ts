import { shellWord } from '../../shell-word.ts'
import { type Examination, PLAIN_PATH } from '../examination.ts'
import {
  type Finding,
  type Fix,
  type Fixes,
  fix,
  fixFor,
  type Level,
  type ServerKind,
  withAlternative,
} from '../finding.ts'

/** Checks whether SCRIPT_NAME is the app's mount and PATH_INFO is the path below it (RFC 3875 section 4.1). */
export async function checkMount({ plain, prefix, server }: Examination): Promise<Finding[]> {
  const scriptName = plain.params.get('SCRIPT_NAME') ?? ''
  const pathInfo = plain.params.get('PATH_INFO') ?? ''
  const mount = decode(prefix)
  const rest = decodeURI(PLAIN_PATH)
  if (scriptName === mount && pathInfo === rest) return []
  if (mount !== '' && pathInfo === '' && isProgramIn(mount, scriptName, plain.params)) return []
  if (pathInfo.endsWith(PLAIN_PATH)) return [notDecoded(pathInfo, mount, server)]
  // To serve files and an app below one URL, lighttpd needs a rewrite, which sets SCRIPT_NAME to its target.
  const isRewritten = server === 'lighttpd' && pathInfo === '' && !(mount + rest).startsWith(scriptName)
  if (isRewritten && mount === '') return []
  const level = isRewritten ? 'note' : levelOf(scriptName, pathInfo, mount, rest)
  return [
    {
      code: 'mount',
      level,
      problem: `SCRIPT_NAME is '${scriptName}' and PATH_INFO is '${pathInfo}'. They should be '${mount}' and '${rest}'.`,
      why: whyFor(level, prefix),
      fix: isRewritten
        ? fix('in the program that serves the app, because lighttpd rewrites the URL', ...mountOption(mount))
        : withMount(fixFor(server, fixesFor(mount)), mount, level),
    },
  ]
}

// An .htaccess in the folder of the mount has rewritten the URL to a program there. `mount: 'auto'` knows that the folder is the mount.
function isProgramIn(mount: string, scriptName: string, params: ReadonlyMap<string, string>): boolean {
  const name = scriptName.slice(scriptName.lastIndexOf('/'))
  return scriptName === mount + name && params.get('SCRIPT_FILENAME')?.endsWith(name) === true
}

// The URL's path in the form of CGI: percent-decoded, with one character per byte.
function decode(path: string): string {
  return path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

// The level is `note` if no app can read a wrong mount from SCRIPT_NAME, because SCRIPT_NAME is empty. For an app at the root, SCRIPT_NAME may
// also be the whole path, or the target of a rewrite, which is not a part of the URL.
function levelOf(scriptName: string, pathInfo: string, prefix: string, rest: string): Level {
  const path = prefix + rest
  if (scriptName === '' && pathInfo === path) return 'note'
  if (prefix === '' && pathInfo === '' && (scriptName === path || !path.startsWith(scriptName))) return 'note'
  return 'warning'
}

function whyFor(level: Level, prefix: string): string {
  if (level === 'warning') {
    return prefix === ''
      ? 'Apps that use SCRIPT_NAME take a part of the URL for their mount, and do not find their routes.'
      : `The app does not know that it is mounted at ${prefix}, so its routes do not match, and its links are wrong.`
  }
  return prefix === ''
    ? 'Apps that are served by fcgi-bridge use REQUEST_URI instead. Other FastCGI apps may use these.'
    : `An app whose routes do not include ${prefix} needs to know its mount: fcgi-bridge serve --mount ${prefix}.`
}

// The option `mount` of fcgi-bridge replaces what the front server sends. A note needs no alternative.
function withMount(fix: Fix, mount: string, level: Level): Fix {
  if (level === 'note') return fix
  return withAlternative(
    fix,
    'or in the program that serves the app; if you can change an .htaccess only, this is the only way',
    ...mountOption(mount),
  )
}

function mountOption(mount: string): string[] {
  // Configs and code are written in UTF-8.
  const option = mount === '' ? 'none' : Buffer.from(mount, 'latin1').toString('utf8')
  return [`serve(app, { mount: '${option}' })`, `fcgi-bridge serve --mount ${shellWord(option)}`]
}

function notDecoded(pathInfo: string, prefix: string, server: ServerKind): Finding {
  return {
    code: 'path-info-encoded',
    level: 'warning',
    problem: `PATH_INFO is '${pathInfo}': it is not percent-decoded.`,
    why: 'CGI/1.1 requires it to be decoded. Apps that use it get a wrong path.',
    fix: fixFor(server, {
      nginx: fixesFor(prefix).nginx,
      other: fix('Configure the front server to percent-decode PATH_INFO.'),
    }),
  }
}

function fixesFor(mount: string): Fixes & { nginx: Fix } {
  // Configs are written in UTF-8.
  const prefix = Buffer.from(mount, 'latin1').toString('utf8')
  const escaped = prefix.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return {
    nginx: fix(
      'in the location of the app, in place of other lines with SCRIPT_NAME and PATH_INFO, such as those of fastcgi_params',
      `fastcgi_split_path_info ^(${escaped})(/.*)?$;`,
      'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
      'fastcgi_param PATH_INFO $fastcgi_path_info;',
    ),
    'apache-proxy': fix(
      'in the virtual host, the <Location> of the app, or an .htaccess',
      `ProxyFCGISetEnvIf "%{REQUEST_URI} =~ m#^${escaped}(/.*)?$#" PATH_INFO "$1"`,
      `ProxyFCGISetEnvIf "true" SCRIPT_NAME "${prefix}"`,
    ),
    'apache-fcgid': fix(
      'in the virtual host; the app is then reachable at this URL only',
      `ScriptAlias "${prefix || '/'}" "/srv/app/app.fcgi${prefix === '' ? '/' : ''}"`,
    ),
    lighttpd:
      prefix === ''
        ? fix('in the fastcgi.server of the app', '"fix-root-scriptname" => "enable"')
        : fix('as the key of the app in fastcgi.server', `"${prefix}" => ((`),
    caddy: fix('in `transport fastcgi`', `split ${prefix || '/'}`),
    haproxy: fix('in the fcgi-app', `path-info ^(${escaped})(/.*)?$`),
    h2o: fix(
      `H2O has no setting for it. Set the mount of the app: fcgi-bridge serve --mount ${prefix || 'none'}`,
    ),
    other: fix(
      `Configure the front server to send '${prefix}' as SCRIPT_NAME, and the decoded rest of the path as PATH_INFO.`,
    ),
  }
}
