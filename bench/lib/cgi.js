// Plain CGI: the web server starts a process for each request.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Server } from './server.js'
import { summary } from './stats.js'

/**
 * @typedef {object} CgiResult
 * @property {'cgi'} type
 * @property {string} name
 * @property {string} node
 * @property {number} bar The most that the ratio may be.
 * @property {import('./stats.js').Summary} time Milliseconds from the start of the process to the last byte of the response.
 * @property {import('./stats.js').Summary} peerTime
 * @property {import('./stats.js').Summary} ratio
 */

const LAUNCHES = 20
const BAR = 1.1
const TEXT = 'Hello, world!'

/** The params of a request, as environment variables. */
export const CGI_ENVIRONMENT = {
  GATEWAY_INTERFACE: 'CGI/1.1',
  SERVER_PROTOCOL: 'HTTP/1.1',
  SERVER_NAME: 'www.example.com',
  SERVER_PORT: '80',
  REMOTE_ADDR: '192.0.2.1',
  REQUEST_METHOD: 'GET',
  REQUEST_URI: '/',
  SCRIPT_NAME: '/',
  QUERY_STRING: '',
  HTTP_HOST: 'www.example.com',
}

/**
 * @param {string} name
 * @param {{ side: { program: string, variant?: string }, peer: import('./server.js').ServerSpec }} specs The peer is the same app on
 *   `node:http`. It is started for one request, too.
 * @param {import('./side.js').Setting} setting
 * @returns {Promise<CgiResult[]>}
 */
export async function measureCgi(name, { side, peer }, setting) {
  const times = []
  const peerTimes = []
  for (let launch = 0; launch < LAUNCHES; launch++) {
    times.push(await timeOf(() => cgiResponse(side, setting)))
    peerTimes.push(await timeOf(() => httpResponse(peer, setting)))
  }
  return [
    {
      type: 'cgi',
      name,
      node: setting.nodeVersion,
      bar: BAR,
      time: summary(times),
      peerTime: summary(peerTimes),
      ratio: summary(times.map((time, launch) => time / peerTimes[launch])),
    },
  ]
}

// Resolves with the time of `respond`, in milliseconds. `respond` resolves with a function that ends what it has started. The time of that
// function does not count.
async function timeOf(respond) {
  const start = performance.now()
  const end = await respond()
  const time = performance.now() - start
  await end()
  return time
}

/** @param {{ program: string, variant?: string }} spec @param {import('./side.js').Setting} setting */
async function cgiResponse({ program, variant }, { node }) {
  const file = fileURLToPath(new URL(`../servers/${program}`, import.meta.url))
  const child = spawn(node, ['--conditions=published', file, ...(variant === undefined ? [] : [variant])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...CGI_ENVIRONMENT },
  })
  const exit = once(child, 'exit')
  check(program, (await buffer(child.stdout)).toString())
  return () => exit
}

async function httpResponse(spec, setting) {
  const server = await Server.start(spec, setting)
  const { path: socketPath } = /** @type {{ path: string }} */ (server.address)
  const [response] = await once(get({ socketPath, agent: false }), 'response')
  check(spec.program, (await buffer(response)).toString())
  return () => server.stop()
}

function check(program, response) {
  if (!response.endsWith(TEXT)) throw new Error(`${program} responded with ${JSON.stringify(response)}.`)
}
