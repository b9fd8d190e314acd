import { apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import type { Site } from './site.ts'

const traits: Traits = {
  ...apacheTraits,
  streamsBodies: false,
  emptyLength: 'by method',
  failedResponse: 'error page',
}

interface FcgidMode extends Mode {
  /** Installs the app in `folder`, an empty folder of the site. Returns the directives of the virtual host. */
  install(site: Site, folder: string, app: string): string
}

const modes: readonly FcgidMode[] = [
  {
    name: 'a script with Options +ExecCGI',
    prefix: '/app.fcgi',
    traits,
    install(site, folder, app) {
      site.writeProgram(`${folder}/app.fcgi`, app)
      return documents(site.path(folder), 'AddHandler fcgid-script .fcgi')
    },
  },
  {
    name: 'FcgidWrapper',
    prefix: '/page.web',
    traits,
    install(site, folder, app) {
      // The URL's file is not the running program, so SCRIPT_NAME is a mount only if the option says so.
      const wrapper = site.writeProgram(`${folder}-wrapper`, app, 'script-name')
      site.write(`${folder}/page.web`, '')
      return documents(
        site.path(folder),
        `AddHandler fcgid-script .web
         FcgidWrapper "${wrapper}" .web`,
      )
    },
  },
  {
    name: 'a rewrite to the script, at the root',
    prefix: '',
    traits,
    install(site, folder, app) {
      site.writeProgram(`${folder}/app.fcgi`, app)
      // The rewritten URL does not need the path, which Apache would decode twice there: REQUEST_URI is still the
      // client's.
      return documents(
        site.path(folder),
        `AddHandler fcgid-script .fcgi
         RewriteEngine On
         RewriteCond %{REQUEST_FILENAME} !-f
         RewriteRule ^ app.fcgi [L]`,
      )
    },
  },
  {
    name: 'a rewrite to the script in the .htaccess of a folder',
    prefix: '/shop',
    traits,
    install(site, folder, app) {
      site.makeFolder(folder, 'shop')
      site.writeProgram(`${folder}/shop/app.fcgi`, app)
      site.write(
        `${folder}/shop/.htaccess`,
        `Options +ExecCGI
         AddHandler fcgid-script .fcgi
         CGIPassAuth On
         RewriteEngine On
         RewriteCond %{REQUEST_FILENAME} !-f
         RewriteRule ^ app.fcgi [L]`,
      )
      return documents(site.path(folder), 'AllowOverride All')
    },
  },
  {
    name: 'ScriptAlias',
    prefix: '/shop',
    traits,
    install(site, folder, app) {
      const program = site.writeProgram(`${folder}/app.fcgi`, app)
      return `
        ScriptAlias "/shop" "${program}"
        <Location "/shop">
          SetHandler fcgid-script
          CGIPassAuth On
        </Location>`
    },
  },
]

/** mod_fcgid: Apache starts the apps, and passes each one its listening socket as fd 0. */
export const apacheFcgid: Front = apacheFront('Apache mod_fcgid', modes, async (site, all) => {
  required('/usr/lib/apache2/modules/mod_fcgid.so')
  return {
    modules: ['fcgid'],
    // Concurrent requests start all of them, in each mode and for each app.
    server: `${fcgidDirectives(site)}\nFcgidMaxProcessesPerClass 4`,
    hosts: all.map(({ mode, app }, index) => {
      const folder = `host${index}`
      site.makeFolder(folder)
      return mode.install(site, folder, app)
    }),
  }
})

/** The server-wide settings of mod_fcgid. */
export function fcgidDirectives(site: Site): string {
  return `
    FcgidIPCDir ${site.makeFolder('fcgid')}
    FcgidProcessTableFile ${site.path('fcgid_shm')}
    FcgidMaxRequestLen 1073741824
    FcgidOutputBufferSize 0
    FcgidPassHeader Authorization
    FcgidMaxProcessesPerClass 8
    # Without this, it delays new processes if many were started recently.
    FcgidSpawnScoreUpLimit 1000`
}

function documents(folder: string, directives: string): string {
  return `
    DocumentRoot "${folder}"
    <Directory "${folder}">
      Require all granted
      Options +ExecCGI
      CGIPassAuth On
      ${directives}
    </Directory>`
}
