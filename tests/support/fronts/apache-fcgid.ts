import { apacheFront, apacheTraits } from './apache.ts'
import type { Front, Mode, Traits } from './front.ts'
import { required } from './programs.ts'
import type { Site } from './site.ts'

const traits: Traits = {
  ...apacheTraits,
  streamsBodies: false,
  emptyLength: 'by method',
  brokenAnswer: 'error page',
}

interface FcgidMode extends Mode {
  /** Puts the app into `folder`, an empty folder of the site; gives the virtual host's directives. */
  install(site: Site, folder: string, app: string): string
}

const modes: readonly FcgidMode[] = [
  {
    name: 'a script under Options +ExecCGI',
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
      // The file that the URL names is not the program that runs, so SCRIPT_NAME is a mount only if it is said.
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
      // The path need not be in the rewritten URL, where Apache would decode it twice: REQUEST_URI stays the client's.
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

/** mod_fcgid: Apache starts the apps, and hands each its listening socket as fd 0. */
export const apacheFcgid: Front = apacheFront('Apache mod_fcgid', modes, async (site, all) => {
  required('/usr/lib/apache2/modules/mod_fcgid.so')
  return {
    modules: ['fcgid'],
    server: fcgidDirectives(site),
    hosts: all.map(({ mode, app }, index) => {
      const folder = `host${index}`
      site.makeFolder(folder)
      return mode.install(site, folder, app)
    }),
  }
})

/** The settings of mod_fcgid for a whole server. */
export function fcgidDirectives(site: Site): string {
  return `
    FcgidIPCDir ${site.makeFolder('fcgid')}
    FcgidProcessTableFile ${site.path('fcgid_shm')}
    FcgidMaxRequestLen 1073741824
    FcgidOutputBufferSize 0
    FcgidPassHeader Authorization
    FcgidMaxProcessesPerClass 8
    # Else it delays new processes where many were started of late.
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
