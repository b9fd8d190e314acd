import { chmodSync } from 'node:fs'
import { expect, test } from 'vitest'
import { startApache } from '../support/fronts/apache.ts'
import { installCommandLine } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { askDoctor, type Config, type FrontSetup, TIMEOUT, testFaults, withSite } from './faults.ts'

// mod_fcgid starts the app. In these tests it starts the probe in place of the app, as the README describes.
const TOKEN = 'a-token-of-mine'

const alias: FrontSetup = {
  name: 'mod_fcgid by ScriptAlias',
  prefix: '/shop',
  healthy: {
    server: ['FcgidMaxRequestLen 20971520', 'FcgidOutputBufferSize 0'],
    host: ['ScriptAlias "/shop" "/srv/app/app.fcgi"'],
    directory: ['SetHandler fcgid-script', 'CGIPassAuth On'],
  },
  start,
}

const rewrite: FrontSetup = {
  name: 'mod_fcgid with a rewrite',
  prefix: '',
  healthy: {
    server: ['FcgidMaxRequestLen 20971520', 'FcgidOutputBufferSize 0'],
    host: [],
    directory: [
      'Options +ExecCGI',
      'AddHandler fcgid-script .fcgi',
      'CGIPassAuth On',
      'RewriteEngine On',
      'RewriteCond %{REQUEST_FILENAME} !-f',
      'RewriteRule ^ app.fcgi [L]',
    ],
  },
  // SCRIPT_NAME is /app.fcgi, which is no part of the URL.
  always: ['mount'],
  start,
}

testFaults(alias, [
  {
    name: 'Authorization is not passed on',
    codes: ['authorization'],
    without: /CGIPassAuth/,
    place: 'directory',
  },
  {
    name: 'the default limit of the request body',
    codes: ['body-limit'],
    without: /FcgidMaxRequestLen/,
    place: 'server',
  },
  {
    name: 'a low limit of the request body',
    codes: ['body-limit'],
    wrong: { host: ['LimitRequestBody 100000'] },
    place: 'host',
  },
  {
    name: 'the default response buffer',
    codes: ['buffering'],
    without: /FcgidOutputBufferSize/,
    place: 'server',
  },
  {
    name: 'paths with %2F are rejected',
    codes: ['encoded-slash'],
    wrong: { host: ['AllowEncodedSlashes Off'] },
    place: 'host',
  },
])

testFaults(rewrite, [
  {
    name: 'a rewrite whose target contains the path',
    codes: ['decoded-twice'],
    without: /RewriteRule/,
    wrong: { directory: ['RewriteRule ^(.*)$ app.fcgi/$1 [L]'] },
    place: 'directory',
  },
  {
    name: 'a rewrite that drops the query',
    codes: ['wrong-query-string'],
    without: /RewriteRule/,
    wrong: { directory: ['RewriteRule ^ app.fcgi? [L]'] },
    place: 'directory',
  },
])

// Shared hosting: the user can change an .htaccess only, and the app is in a subfolder.
const htaccess: FrontSetup = {
  name: 'mod_fcgid with an .htaccess only',
  prefix: '/shop',
  healthy: {
    server: ['FcgidMaxRequestLen 20971520', 'FcgidOutputBufferSize 0'],
    host: [],
    directory: ['AllowOverride All'],
    htaccess: [
      'Options +ExecCGI',
      'AddHandler fcgid-script .fcgi',
      'CGIPassAuth On',
      'RewriteEngine On',
      'RewriteCond %{REQUEST_FILENAME} !-f',
      'RewriteRule ^ app.fcgi [L]',
    ],
  },
  // SCRIPT_NAME is /shop/app.fcgi, and the folder of app.fcgi is the mount.
  always: [],
  start,
}

testFaults(htaccess, [
  {
    name: 'Authorization is not passed on',
    codes: ['authorization'],
    without: /CGIPassAuth/,
    place: 'htaccess',
  },
  {
    name: 'a low limit of the request body',
    codes: ['body-limit'],
    wrong: { directory: ['LimitRequestBody 100000'] },
    place: 'htaccess',
  },
])

const FIXES: readonly (readonly [code: string, config: Config, line: RegExp])[] = [
  ['body-limit', { server: ['FcgidOutputBufferSize 0'] }, /^FcgidMaxRequestLen /],
  ['buffering', { server: ['FcgidMaxRequestLen 20971520'] }, /^FcgidOutputBufferSize 0$/],
  ['encoded-slash', { host: ['AllowEncodedSlashes Off'] }, /^AllowEncodedSlashes NoDecode$/],
]

test.each(FIXES)(
  'a fix that is not allowed in an .htaccess has an alternative: %s',
  { timeout: TIMEOUT },
  async (code, config, line) => {
    const finding = await withSite(async (site) => {
      const { origin, args } = await start(site, { ...htaccess.healthy, ...config })
      const { report } = await askDoctor(`${origin}/shop`, ...args)
      return report.findings.find((one) => one.code === code)!
    })
    expect(finding.fix.otherwise!.where).toContain(
      'if you can change only an .htaccess, in which these lines are not allowed: ',
    )
    expect(finding.fix.lines[0]).toMatch(line)
    // Apache rejects the lines of the fix in an .htaccess.
    await withSite(async (site) => {
      const lines = [...htaccess.healthy.htaccess!, ...finding.fix.lines]
      const { origin } = await start(site, { ...htaccess.healthy, htaccess: lines })
      expect((await fetch(`${origin}/shop/`)).status).toBe(500)
      await site.logged(`${finding.fix.lines[0]!.split(' ')[0]} not allowed here`)
    })
  },
)

test('the folder of an .htaccess is the mount, without an option', { timeout: TIMEOUT }, async () => {
  await withSite(async (site) => {
    const app = "module.exports = (req, res) => res.end([req.fcgi.mount, req.url].join(' '))"
    const { origin } = await start(site, htaccess.healthy, `#!/usr/bin/env -S fcgi-bridge serve\n${app}`)
    expect(await (await fetch(`${origin}/shop/cart`)).text()).toBe('/shop /cart')
  })
})

async function start(
  site: Site,
  { server, host, directory, htaccess }: Config,
  text = `#!/usr/bin/env -S fcgi-bridge doctor --probe --token ${TOKEN}\n`,
): Promise<{ origin: string; args: string[] }> {
  const bin = installCommandLine(site)
  const folder = site.makeFolder('documents')
  const place = htaccess === undefined ? 'documents' : 'documents/shop'
  site.makeFolder(place)
  const program = site.write(`${place}/app.fcgi`, text)
  chmodSync(program, 0o755)
  if (htaccess !== undefined) site.write(`${place}/.htaccess`, htaccess.join('\n'))
  const { ports } = await startApache(site, {
    modules: ['fcgid'],
    server: `
      FcgidIPCDir ${site.makeFolder('fcgid')}
      FcgidProcessTableFile ${site.path('fcgid_shm')}
      FcgidInitialEnv PATH ${bin}:/usr/bin:/bin
      ${server!.join('\n')}`,
    hosts: [
      `DocumentRoot "${folder}"
       ${host!.join('\n').replaceAll('/srv/app/app.fcgi', program)}
       <Directory "${folder}">
         Require all granted
         ${directory!.join('\n')}
       </Directory>`,
    ],
  })
  return { origin: `http://127.0.0.1:${ports[0]}`, args: ['--token', TOKEN] }
}
