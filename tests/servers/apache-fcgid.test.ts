import { chmodSync, readFileSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { describeFront } from '../support/cases/describe-front.ts'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { apacheFcgid, fcgidDirectives } from '../support/fronts/apache-fcgid.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

describeFront(apacheFcgid)

// Apache does not pass NODE_ENV, and Express sends stack traces to clients unless it is `production`.
describe('NODE_ENV and the working directory of a program that Apache starts', () => {
  let site: Site
  siteForEachTest((each) => {
    site = each
    site.makeFolder('app')
    symlinkSync(
      fileURLToPath(new URL('../../examples/express/node_modules', import.meta.url)),
      site.path('app/node_modules'),
    )
    site.write('app/views.txt', 'a file of the app')
  })

  const APP = `
    const app = express()
    app.get('/fail', () => { throw new Error('secret detail') })
    app.use((_req, res) => res.json({
      mode: process.env.NODE_ENV, env: app.get('env'), cache: app.enabled('view cache'), cwd: process.cwd(),
    }))
    serve(app, { mount: 'script-name' })`

  /** The ways in which Apache starts the program. */
  const FORMS = {
    script: (program: string) => fcgid(`ScriptAlias "/shop" "${program}"`, 'SetHandler fcgid-script'),
    FcgidWrapper: (program: string) =>
      fcgid(
        '',
        `SetHandler fcgid-script
         Options +ExecCGI
         FcgidWrapper "${process.execPath} ${program}" virtual`,
      ),
    CGI: async (program: string) => {
      const { ports } = await startApache(site, {
        modules: ['cgid'],
        server: `ScriptSock ${site.path('cgid.sock')}`,
        hosts: [`ScriptAlias "/shop" "${program}"`],
      })
      return ports[0]!
    },
  }

  async function fcgid(host: string, location: string, server = ''): Promise<number> {
    const { ports } = await startApache(site, {
      modules: ['fcgid'],
      server: `${fcgidDirectives(site)}\n${server}`,
      hosts: [
        `${host}
        <Location "/shop">
          Require all granted
          ${location}
        </Location>`,
      ],
    })
    return ports[0]!
  }

  function writeProgram(name: string, text: string): string {
    const program = site.write(name, text)
    chmodSync(program, 0o755)
    return program
  }

  async function ask(port: number): Promise<{ failure: string; state: Record<string, unknown> }> {
    const origin = { host: '127.0.0.1', port }
    const failure = await send(origin, '/shop/fail')
    expect(failure.status).toBe(500)
    return { failure: failure.text, state: JSON.parse((await send(origin, '/shop/')).text) }
  }

  const forms = Object.keys(FORMS) as (keyof typeof FORMS)[]

  test.each(forms)('%s: serve() alone hides the stack traces of an Express app', async (form) => {
    const program = writeProgram(
      'app/bare.fcgi',
      `#!${process.execPath}
      const express = require('express')
      import('@fcgi-bridge/express-adapter').then(({ serve }) => {${APP}})`,
    )
    const { failure, state } = await ask(await FORMS[form](program))
    expect(failure).not.toMatch(/secret|bare\.fcgi| at /)
    expect(state).toMatchObject({ mode: 'production', env: 'production', cache: true })
  })

  test.each(forms)("%s: the examples' app.fcgi sets both before the app is imported", async (form) => {
    const shim = readFileSync(new URL('../../examples/express/app.fcgi', import.meta.url), 'utf8')
    const program = writeProgram('app/app.fcgi', shim.replace('/usr/bin/env node', process.execPath))
    site.write(
      'app/server.mjs',
      `import { readFileSync } from 'node:fs'
      import { serve } from '@fcgi-bridge/express-adapter'
      import express from 'express'
      if (process.env.NODE_ENV !== 'production') throw new Error('imported without NODE_ENV')
      readFileSync('views.txt')
      ${APP}`,
    )
    // A program uses the folder of its app even if Apache starts it through a link.
    site.makeFolder('public')
    symlinkSync(program, site.path('public/app.fcgi'))
    const { failure, state } = await ask(await FORMS[form](site.path('public/app.fcgi')))
    expect(failure).not.toMatch(/secret|server\.mjs| at /)
    expect(state).toEqual({ mode: 'production', env: 'production', cache: true, cwd: site.path('app') })
  })

  test('an existing NODE_ENV is kept, so the app can show errors', async () => {
    const program = writeProgram(
      'app/bare.fcgi',
      `#!${process.execPath}
      const express = require('express')
      import('@fcgi-bridge/express-adapter').then(({ serve }) => {${APP}})`,
    )
    const port = await fcgid(
      `ScriptAlias "/shop" "${program}"`,
      'SetHandler fcgid-script',
      'FcgidInitialEnv NODE_ENV development',
    )
    const { failure, state } = await ask(port)
    expect(failure).toContain('secret detail')
    expect(state).toMatchObject({ mode: 'development', env: 'development', cache: false })
  })

  test('a value that the app gives to its setting `env` is kept', async () => {
    const program = writeProgram(
      'app/bare.fcgi',
      `#!${process.execPath}
      const express = require('express')
      import('@fcgi-bridge/express-adapter').then(({ serve }) => {
        ${APP.replace('const app = express()', "const app = express().set('env', 'staging').disable('view cache')")}
      })`,
    )
    const { state } = await ask(await FORMS.script(program))
    expect(state).toMatchObject({ mode: 'production', env: 'staging', cache: false })
  })
})
