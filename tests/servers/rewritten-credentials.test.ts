// On shared hosting, an .htaccess passes Authorization as an environment variable, because Apache hides the header from
// programs.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import { Site } from '../support/fronts/site.ts'

const AUTHORIZATION = 'Basic dXNlcjpwYXNz'

/**
 * Rewrite rules of an .htaccess that pass on Authorization. The keys say which rule sets the variable, and its name after internal
 * redirects.
 */
const REWRITES = {
  // The rules run again after the redirect, and set the variable once more.
  'a rule of its own': `
    RewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^ app.fcgi [L]`,
  'the rule that redirects: REDIRECT_HTTP_AUTHORIZATION': `
    RewriteCond %{REQUEST_FILENAME} !-f
    RewriteRule ^ app.fcgi [E=HTTP_AUTHORIZATION:%{HTTP:Authorization},L]`,
  'two redirects: REDIRECT_REDIRECT_HTTP_AUTHORIZATION': `
    RewriteRule ^echo second [E=HTTP_AUTHORIZATION:%{HTTP:Authorization},L]
    RewriteRule ^second app.fcgi [L]`,
}

const MODULES = ['mod_fcgid', 'mod_proxy_fcgi'] as const

let site: Site
let ports: number[]
const hosts = MODULES.flatMap((module) =>
  Object.entries(REWRITES).map(([name, rules]) => ({ module, name, rules })),
)

beforeAll(async () => {
  site = new Site()
  const { at } = await site.startApp('express', '127.0.0.1:0')
  const apache = await startApache(site, {
    modules: ['fcgid', 'proxy', 'proxy_fcgi'],
    server: fcgidDirectives(site).replace('FcgidPassHeader Authorization', ''),
    hosts: hosts.map(({ module, rules }, index) => {
      const folder = site.makeFolder(`host${index}`)
      site.write(`host${index}/.htaccess`, `RewriteEngine On\n${rules}\n`)
      site.writeProgram(`host${index}/app.fcgi`, 'express')
      const address = 'port' in at ? `${at.host}:${at.port}` : ''
      const handler = module === 'mod_fcgid' ? 'fcgid-script' : `"proxy:fcgi://${address}/"`
      return `
        DocumentRoot "${folder}"
        <Directory "${folder}">
          Require all granted
          Options +ExecCGI
          AllowOverride All
        </Directory>
        <FilesMatch "\\.fcgi$">
          SetHandler ${handler}
        </FilesMatch>`
    }),
  })
  ports = apache.ports
})

afterAll(() => site.stop())

describe.each(hosts.map((host, index) => ({ ...host, index })))('$module, $name', ({ index }) => {
  const ask = async (headers: readonly string[]): Promise<Record<string, string>> => {
    const { status, text } = await send({ host: '127.0.0.1', port: ports[index]! }, '/echo', { headers })
    expect(status, text).toBe(200)
    return JSON.parse(text).headers
  }

  test('the app gets the credentials', async () => {
    expect(await ask(['Authorization', AUTHORIZATION])).toMatchObject({ authorization: AUTHORIZATION })
  })

  test('the app gets no credentials if the client sent none, and clients cannot forge them', async () => {
    expect(await ask([])).not.toHaveProperty('authorization')
    const names = ['Redirect-Http-Authorization', 'REDIRECT_HTTP_AUTHORIZATION', 'Http-Authorization']
    const forged = names.flatMap((name) => [name, 'Basic Zm9yZ2Vk'])
    expect(await ask(forged)).not.toHaveProperty('authorization')
    expect(await ask([...forged, 'Authorization', AUTHORIZATION])).toMatchObject({
      authorization: AUTHORIZATION,
    })
  })
})
