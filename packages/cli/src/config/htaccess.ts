import { join } from 'node:path'
import { sharedFolderOfSite } from '../app/site-folder.ts'
import { type Site, usageError } from './site.ts'
import { type Config, header } from './target.ts'

/** Builds the `.htaccess` of a site on a shared host, where `app.fcgi` starts the app. Throws a Failure if the app is not named. */
export function htaccess({ app, folder }: Site): Config {
  if (app === undefined) throw usageError('Name the module of the app: fcgi-bridge config htaccess app.js.')
  const top = header(
    'An app on a shared host with Apache',
    `Save it as ${join(folder, '.htaccess')}, next to app.fcgi, which \`fcgi-bridge init htaccess\` writes.`,
    'Apache starts the app: nothing else is needed.',
  )
  return {
    files: [{ path: '.htaccess', text: `${top}\n${htaccessText(sharedFolderOfSite(app.file, folder))}` }],
    // Apache reads an .htaccess at each request, so there is nothing to load.
    check: 'true',
    reload: 'true',
  }
}

/** The text of an `.htaccess` for an app whose `app.fcgi` is in the same folder. `shared` is the folder of the holder's socket. */
export function htaccessText(shared: string): string {
  return `Options +ExecCGI
<IfModule mod_fcgid.c>
    AddHandler fcgid-script .fcgi
</IfModule>
<IfModule !mod_fcgid.c>
    AddHandler cgi-script .fcgi
    <IfModule !mod_cgid.c>
        <IfModule !mod_cgi.c>
            # This Apache runs no programs. It would show the text of app.fcgi.
            RewriteEngine On
            RewriteRule ^app\\.fcgi$ - [F]
        </IfModule>
    </IfModule>
</IfModule>
${rewriteTo('app.fcgi')}${proxyRule(shared)}`
}

// Apache would need escapes for other paths. The app is served without this rule, too.
const PLAIN_PATH = /^[\w./+~@-]+$/

// Do not use the flag [H=…] of a RewriteRule, because mod_rewrite converts its value to lower case.
function proxyRule(shared: string): string {
  if (!PLAIN_PATH.test(shared)) return ''
  return `# While the app runs, Apache sends requests straight to its socket, if Apache runs as your user.
<IfModule mod_proxy_fcgi.c>
    <If "%{REQUEST_URI} =~ m#/app\\.fcgi$# && -f '${shared}/app.ready'">
        SetHandler "proxy:unix:${shared}/app.sock|fcgi://localhost/"
    </If>
</IfModule>
`
}

/** The first of the lines of {@link rewriteTo}. */
export const REWRITE_COMMENT = '# Files are served as they are. Every other URL goes to the app.'

/** The lines of an .htaccess that send requests to `program`, a file in the same folder. */
export function rewriteTo(program: string): string {
  return `${REWRITE_COMMENT}
RewriteEngine On
# Apache hides the Authorization header from programs.
RewriteRule ^ - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
RewriteRule ^${program.replace('.', '\\.')}$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteRule ^ ${program} [L]
`
}
