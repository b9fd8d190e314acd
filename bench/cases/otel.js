import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { compareSides } from '../lib/ratio.js'
import { express, helloWork, hono } from './apps.js'

const { resolve } = createRequire(import.meta.url)

/** @type {import('./index.js').Case[]} */
export const otelCases = [
  otelCase('otel-http', 'Express, OpenTelemetry HTTP instrumentation', express, {
    setup: 'otel-http.js',
    bar: 1.05,
  }),
  otelCase('otel-express', 'Express, all OpenTelemetry instrumentations', express, { bar: 1.05 }),
  otelCase('otel-hono', 'Hono, all OpenTelemetry instrumentations', hono, { bar: 1.05 }),
  // No target: the difference is the cost of Node's own Request and Response, which @hono/node-server replaces.
  otelCase('otel-hono-native', 'Hono, overrideGlobalObjects: false, all OpenTelemetry instrumentations', {
    side: { ...hono.side, variant: 'off' },
    peer: hono.peer,
  }),
]

/**
 * @param {string} name
 * @param {string} title
 * @param {typeof express} apps
 * @param {{ setup?: string, bar?: number }} [options]
 * @returns {import('./index.js').Case}
 */
function otelCase(name, title, { side, peer }, { setup = 'otel.js', bar } = {}) {
  const flags = otelFlags(setup)
  return {
    name,
    everyNode: true,
    run: (setting) =>
      compareSides(
        {
          work: helloWork,
          sides: { fastcgi: { ...side, flags }, http: { ...peer, flags } },
          rows: [{ name: `${title} / the same over node:http`, side: 'fastcgi', peer: 'http', bar }],
        },
        setting,
      ),
  }
}

// The arguments in docs/monitoring.md.
function otelFlags(setup) {
  const loader = pathToFileURL(resolve('@opentelemetry/instrumentation/hook.mjs'))
  return [
    '--no-warnings',
    `--import=${new URL(`../servers/${setup}`, import.meta.url)}`,
    `--experimental-loader=${loader}`,
  ]
}
