import { chmodSync } from 'node:fs'
import { startApache } from '../fronts/apache.ts'
import { installCommandLine } from '../fronts/command-line.ts'
import type { Site } from '../fronts/site.ts'
import { type Config, describeDiagnoses, type Patient } from './diagnoses.ts'

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

async function start(
  site: Site,
  { server, host, directory }: Config,
): Promise<{ origin: string; args: string[] }> {
  const bin = installCommandLine(site)
  const folder = site.makeFolder('documents')
  const program = site.write(
    'documents/app.fcgi',
    `#!/usr/bin/env -S fcgi-bridge doctor --probe --token ${TOKEN}\n`,
  )
  chmodSync(program, 0o755)
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
