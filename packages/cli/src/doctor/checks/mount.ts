import { shellWord } from '../../shell-word.ts'
import { type Examination, PLAIN_PATH } from '../examination.ts'
import {
  type Finding,
  type Level,
  type Mend,
  type Mends,
  mend,
  mendFor,
  type ServerKind,
  withAlternative,
} from '../finding.ts'

/** Whether SCRIPT_NAME and PATH_INFO say where the app is mounted, and what is below (RFC 3875 section 4.1). */
export async function checkMount({ plain, prefix, server }: Examination): Promise<Finding[]> {
  const scriptName = plain.params.get('SCRIPT_NAME') ?? ''
  const pathInfo = plain.params.get('PATH_INFO') ?? ''
  const mount = decode(prefix)
  const rest = decodeURI(PLAIN_PATH)
  if (scriptName === mount && pathInfo === rest) return []
  if (pathInfo.endsWith(PLAIN_PATH)) return [notDecoded(pathInfo, mount, server)]
  const level = levelOf(scriptName, pathInfo, mount, rest)
  return [
    {
      code: 'mount',
      level,
      seen: `SCRIPT_NAME is '${scriptName}' and PATH_INFO is '${pathInfo}', where they should be '${mount}' and '${rest}'.`,
      why: whyFor(level, prefix),
      mend: withMount(mendFor(server, mendsFor(mount)), mount, level),
    },
  ]
}

// The URL's path as CGI has it: decoded, one character a byte.
function decode(path: string): string {
  return path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

// Harmless is what no app takes for a mount: nothing; the whole path, where the app has the whole site; the name of a file that
// a rewrite leads to, which is no part of the URL.
function levelOf(scriptName: string, pathInfo: string, prefix: string, rest: string): Level {
  const path = prefix + rest
  if (scriptName === '' && pathInfo === path) return 'note'
  if (prefix === '' && pathInfo === '' && (scriptName === path || !path.startsWith(scriptName))) return 'note'
  return 'warning'
}

function whyFor(level: Level, prefix: string): string {
  if (level === 'warning') {
    return prefix === ''
      ? 'Apps that trust SCRIPT_NAME take a part of the URL for their mount, and miss their routes.'
      : `The app can not know that it is mounted at ${prefix}: it misses its routes, and its links lead out of it.`
  }
  return prefix === ''
    ? 'Apps served by fcgi-bridge go by REQUEST_URI; others may not.'
    : `An app that is not to see ${prefix} in its URLs has to be told its mount: fcgi-bridge serve --mount ${prefix}.`
}

// An app of this project can be told what the front server does not say. A note needs nothing.
function withMount(mend: Mend, mount: string, level: Level): Mend {
  if (level === 'note') return mend
  // Configs and code are written in UTF-8.
  const said = mount === '' ? 'none' : Buffer.from(mount, 'latin1').toString('utf8')
  return withAlternative(
    mend,
    'or tell the app, in the program that serves it; with an .htaccess alone this is the only way',
    `serve(app, { mount: '${said}' })`,
    `fcgi-bridge serve --mount ${shellWord(said)}`,
  )
}

function notDecoded(pathInfo: string, prefix: string, server: ServerKind): Finding {
  return {
    code: 'path-info-encoded',
    level: 'warning',
    seen: `PATH_INFO is '${pathInfo}': it is not decoded.`,
    why: 'CGI/1.1 has it decoded: apps that go by it look for the wrong path.',
    mend: mendFor(server, {
      nginx: mendsFor(prefix).nginx,
      other: mend('Let the front server send PATH_INFO percent-decoded.'),
    }),
  }
}

function mendsFor(mount: string): Mends & { nginx: Mend } {
  // Configs are written in UTF-8.
  const prefix = Buffer.from(mount, 'latin1').toString('utf8')
  const escaped = prefix.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return {
    nginx: mend(
      'in the location of the app, in place of other lines of SCRIPT_NAME and PATH_INFO, as in fastcgi_params',
      `fastcgi_split_path_info ^(${escaped})(/.*)?$;`,
      'fastcgi_param SCRIPT_NAME $fastcgi_script_name;',
      'fastcgi_param PATH_INFO $fastcgi_path_info;',
    ),
    'apache-proxy': mend(
      'in the virtual host, the <Location> of the app, or an .htaccess',
      `ProxyFCGISetEnvIf "%{REQUEST_URI} =~ m#^${escaped}(/.*)?$#" PATH_INFO "$1"`,
      `ProxyFCGISetEnvIf "true" SCRIPT_NAME "${prefix}"`,
    ),
    'apache-fcgid': mend(
      'in the virtual host; the app is then named by no URL but this one',
      `ScriptAlias "${prefix || '/'}" "/srv/app/app.fcgi${prefix === '' ? '/' : ''}"`,
    ),
    lighttpd:
      prefix === ''
        ? mend('in the fastcgi.server of the app', '"fix-root-scriptname" => "enable"')
        : mend('as the key of the app in fastcgi.server', `"${prefix}" => ((`),
    caddy: mend('in `transport fastcgi`', `split ${prefix || '/'}`),
    haproxy: mend('in the fcgi-app', `path-info ^(${escaped})(/.*)?$`),
    h2o: mend(`H2O has no setting for it. Tell the app: fcgi-bridge serve --mount ${prefix || 'none'}`),
    other: mend(
      `Let the front server send SCRIPT_NAME '${prefix}', and the decoded rest of the path as PATH_INFO.`,
    ),
  }
}
