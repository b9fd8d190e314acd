import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFolder } from '../app/project-folder.ts'
import { realPath } from '../app/real-path.ts'
import { htaccessText } from '../config/htaccess.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'
import { type HostedApp, hostedApp, quote, readTemplate, writeNewFiles } from './hosted-app.ts'

/** The flags of `fcgi-bridge init htaccess`. */
export interface HtaccessFlags {
  output: string
  as?: string
  export?: string
}

/**
 * Writes `app.fcgi` and `.htaccess` into the folder of a site on a host with Apache mod_fcgid, or with CGI. Overwrites no file: an
 * `.htaccess` that exists already is kept, and its lines are printed. Throws a Failure if `app.fcgi` exists, if the folder contains the
 * app, whose files would be public, or if Node would not run `app.fcgi` in the folder.
 */
export function initHtaccess(app: string, flags: HtaccessFlags, stdout: Output): void {
  const hosted = hostedApp(app, flags)
  const program = join(hosted.site, 'app.fcgi')
  const files = [
    { path: program, text: appFcgi(hosted), required: true },
    { path: join(hosted.site, '.htaccess'), text: htaccessText(hosted.shared), required: false },
  ]
  // Node runs a file whose name ends with .fcgi only outside projects of ES modules.
  const modules = esModulesPackage(hosted.site)
  if (modules !== undefined) {
    const own = join(hosted.site, 'package.json')
    if (existsSync(own)) {
      throw new Failure(
        EXIT.usage,
        `Node could not run app.fcgi in ${hosted.site}, because ${own} has "type": "module". Name another folder with --output.`,
      )
    }
    files.push({ path: own, text: '{}\n', required: true })
  }
  stdout.write(writeNewFiles(hosted, files))
  if (modules !== undefined)
    stdout.write(`The package.json is needed, because Node runs no app.fcgi in the project of ${modules}.\n`)
  chmodSync(program, 0o755)
  stdout.write(advice(hosted))
}

// Returns the path of the package.json that applies to a folder, if it makes its files ES modules.
function esModulesPackage(folder: string): string | undefined {
  // The real path, as Node takes it. The folder may not exist yet.
  const file = join(projectFolder(join(realPath(folder), 'app.fcgi')), 'package.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8')).type === 'module' ? file : undefined
  } catch {
    // There is none, or Node will report it.
    return undefined
  }
}

function appFcgi({ program, serve, project, shared }: HostedApp): string {
  const [node, main] = program
  const words = [...serve, '--shared', shared]
  return readTemplate('app.fcgi', {
    PROGRAM: quote(main!),
    ARGUMENTS: `[${words.map(quote).join(', ')}]`,
    COMPILE_CACHE: quote(join(project, 'tmp/compile-cache')),
  }).replace('NODE_ENV=production node', `NODE_ENV=production ${node}`)
}

function advice({ log }: HostedApp): string {
  return `The app writes its output to ${log}.

Two limits of mod_fcgid can only be changed by your host. Ask for them if you need them:
  FcgidMaxRequestLen 20971520   The largest request body, in bytes. The default is 131072, and larger ones are a 500.
  FcgidOutputBufferSize 0       Responses are sent piece by piece. Server-sent events need it.
`
}
