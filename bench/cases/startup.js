// Start-up, with the packages as they are published: bundled.

import { bundlePackages } from '../../scripts/bundle.js'
import { measureCgi } from '../lib/cgi.js'
import { measureStartup } from '../lib/startup.js'
import { core, express, hono } from './apps.js'

/** @type {import('./index.js').Case[]} */
export const startupCases = [
  startupCase('core', 'core / node:http', core),
  startupCase('fetch', 'Hono / @hono/node-server', hono),
  startupCase('express', 'Express 5 / node:http', express),
  cgiCase('fetch', 'Hono, one request of plain CGI / start on node:http', {
    side: { program: 'hono-cgi.js' },
    peer: hono.peer,
  }),
  cgiCase('express', 'Express 5, one request of plain CGI / start on node:http', {
    side: { program: 'express-cgi.js', variant: 'express5' },
    peer: express.peer,
  }),
]

function startupCase(name, title, { side, peer }) {
  const specs = { side: { ...side, flags: ['--conditions=published'] }, peer }
  return {
    name: `startup-${name}`,
    everyNode: true,
    run: async (setting) => {
      await bundlePackages()
      return measureStartup(title, specs, setting)
    },
  }
}

function cgiCase(name, title, specs) {
  return {
    name: `cgi-${name}`,
    everyNode: true,
    run: async (setting) => {
      await bundlePackages()
      return measureCgi(title, specs, { ...setting, transport: 'unix' })
    },
  }
}
