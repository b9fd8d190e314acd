import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { htaccessText } from '../config/htaccess.ts'
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
 * `.htaccess` that exists already is kept, and its lines are printed. Throws a Failure if `app.fcgi` exists, or if the folder
 * contains the app, whose files would be public.
 */
export function initHtaccess(app: string, flags: HtaccessFlags, stdout: Output): void {
  const hosted = hostedApp(app, flags)
  const program = join(hosted.site, 'app.fcgi')
  stdout.write(
    writeNewFiles(hosted, [
      { path: program, text: appFcgi(hosted), required: true },
      { path: join(hosted.site, '.htaccess'), text: htaccessText(hosted.shared), required: false },
    ]),
  )
  chmodSync(program, 0o755)
  stdout.write(advice(hosted))
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
