import { chmodSync } from 'node:fs'
import { expect, test } from 'vitest'
import { startApache } from '../support/fronts/apache.ts'
import { installCommandLine } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { askDoctor, type Config, describeDiagnoses, type Patient, TIMEOUT, withSite } from './diagnoses.ts'

// mod_fcgid starts the app itself: here it starts the probe in its place, as the README says.
const TOKEN = 'a-token-of-mine'

const alias: Patient = {
  name: 'mod_fcgid by ScriptAlias',
  prefix: '/shop',
  healthy: {
    server: ['FcgidMaxRequestLen 20971520', 'FcgidOutputBufferSize 0'],
    host: ['ScriptAlias "/shop" "/srv/app/app.fcgi"'],
    directory: ['SetHandler fcgid-script', 'CGIPassAuth On'],
  },
  start,
}

const rewrite: Patient = {
  name: 'mod_fcgid behind a rewrite',
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
  // Its SCRIPT_NAME is /app.fcgi, which no URL has.
  left: ['mount'],
  start,
}

describeDiagnoses(alias, [
  { name: 'Authorization is kept', codes: ['authorization'], without: /CGIPassAuth/, place: 'directory' },
  {
    name: 'the stock limit of bodies',
    codes: ['body-limit'],
    without: /FcgidMaxRequestLen/,
    place: 'server',
  },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { host: ['LimitRequestBody 100000'] },
    place: 'host',
  },
  { name: 'the stock buffer', codes: ['buffering'], without: /FcgidOutputBufferSize/, place: 'server' },
  {
    name: 'a path with %2F',
    codes: ['encoded-slash'],
    wrong: { host: ['AllowEncodedSlashes Off'] },
    place: 'host',
  },
])

describeDiagnoses(rewrite, [
  {
    name: 'the path in the rewritten URL',
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

// Shared hosting: the server's config is not to be changed, and the app is below a folder.
const htaccess: Patient = {
  name: 'mod_fcgid by an .htaccess alone',
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
  // Its SCRIPT_NAME is /shop/app.fcgi, which no URL has: the app is told its mount.
  left: ['mount'],
  start,
}

describeDiagnoses(htaccess, [
  { name: 'Authorization is kept', codes: ['authorization'], without: /CGIPassAuth/, place: 'htaccess' },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { directory: ['LimitRequestBody 100000'] },
    place: 'htaccess',
  },
])

const MENDS: readonly (readonly [code: string, config: Config, line: RegExp])[] = [
  ['body-limit', { server: ['FcgidOutputBufferSize 0'] }, /^FcgidMaxRequestLen /],
  ['buffering', { server: ['FcgidMaxRequestLen 20971520'] }, /^FcgidOutputBufferSize 0$/],
  ['encoded-slash', { host: ['AllowEncodedSlashes Off'] }, /^AllowEncodedSlashes NoDecode$/],
]

test.each(MENDS)(
  'what an .htaccess may not say is said: %s',
  { timeout: TIMEOUT },
  async (code, config, line) => {
    const finding = await withSite(async (site) => {
      const { origin, args } = await start(site, { ...htaccess.healthy, ...config })
      const { report } = await askDoctor(site, `${origin}/shop`, ...args)
      return report.findings.find((one) => one.code === code)!
    })
    expect(finding.mend.otherwise!.where).toContain('if you have only an .htaccess, which may not say this: ')
    expect(finding.mend.lines[0]).toMatch(line)
    // Apache says so itself.
    await withSite(async (site) => {
      const lines = [...htaccess.healthy.htaccess!, ...finding.mend.lines]
      const { origin } = await start(site, { ...htaccess.healthy, htaccess: lines })
      expect((await fetch(`${origin}/shop/`)).status).toBe(500)
      await site.logged(`${finding.mend.lines[0]!.split(' ')[0]} not allowed here`)
    })
  },
)

test('where there is only an .htaccess the app is told its mount, as the doctor says', {
  timeout: TIMEOUT,
}, async () => {
  const otherwise = await withSite(async (site) => {
    const { origin, args } = await start(site, htaccess.healthy)
    const { report } = await askDoctor(site, `${origin}/shop`, ...args)
    return report.findings.find(({ code }) => code === 'mount')!.mend.otherwise!
  })
  expect(otherwise.where).toContain('with an .htaccess alone')
  expect(otherwise.lines).toEqual(["serve(app, { mount: '/shop' })", 'fcgi-bridge serve --mount /shop'])
  await withSite(async (site) => {
    const app = "module.exports = (req, res) => res.end([req.fcgi.mount, req.url].join(' '))"
    const program = `#!/usr/bin/env -S ${otherwise.lines[1]}\n${app}`
    const { origin } = await start(site, htaccess.healthy, program)
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
