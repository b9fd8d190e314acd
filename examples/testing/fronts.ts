import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { startApache } from '../../tests/support/fronts/apache.ts'
import { startLighttpd } from '../../tests/support/fronts/lighttpd.ts'
import { startNginx } from '../../tests/support/fronts/nginx.ts'
import { accepting } from '../../tests/support/fronts/ports.ts'
import type { Site } from '../../tests/support/fronts/site.ts'

/** Texts of a configuration, and their replacements in a test. */
export type Places = readonly (readonly [from: string, to: string])[]

/**
 * Replaces each of `places` in `config`: values that must be unique on a machine, such as port 80. Throws if one is
 * missing, because the test would then use another configuration than intended.
 */
export function replacePlaces(config: string, places: Places): string {
  for (const [from, to] of places) {
    if (!config.includes(from)) throw new Error(`${from} is not in:\n${config}`)
    config = config.replaceAll(from, to)
  }
  return config
}

/** Starts Apache with a configuration that is one `<VirtualHost *:80>`. Resolves with its port. */
export async function startVirtualHost(
  site: Site,
  modules: readonly string[],
  config: string,
): Promise<number> {
  const [, host] = /<VirtualHost \*:80>(.*)<\/VirtualHost>/s.exec(config)!
  const fcgid = `FcgidIPCDir ${site.makeFolder('fcgid')}\nFcgidProcessTableFile ${site.path('fcgid_shm')}`
  const server = modules.includes('fcgid') ? fcgid : ''
  const { ports } = await startApache(site, { modules, server, hosts: [host!] })
  return ports[0]!
}

/** Starts nginx with a configuration from sites-available. Resolves with its port. */
export async function startNginxSite(site: Site, config: string): Promise<number> {
  const [port] = await startNginx(site, 1, (ports) =>
    replacePlaces(config.replace('listen [::]:80;', ''), [
      ['listen 80;', `listen 127.0.0.1:${ports[0]};`],
      ['include fastcgi_params;', 'include /etc/nginx/fastcgi_params;'],
    ]),
  )
  return port!
}

/** Starts lighttpd with a configuration from conf-available. Resolves with its port. */
export async function startLighttpdSite(site: Site, config: string): Promise<number> {
  const [port] = await startLighttpd(site, 1, () => config)
  return port!
}

/** Starts a program as a FastCGI server, in its own folder. Resolves with its address in the form of FCGI_BRIDGE_LISTEN. */
export async function startProgram(
  site: Site,
  program: string,
  kind: 'tcp' | 'unix',
  nodeFlags: readonly string[] = [],
): Promise<string> {
  for (;;) {
    const [port] = await freePorts(1)
    const at = kind === 'tcp' ? { host: '127.0.0.1', port: port! } : { path: site.path('app.sock') }
    const address = 'path' in at ? at.path : `${at.host}:${at.port}`
    const env = { ...process.env, FCGI_BRIDGE_LISTEN: address }
    const running = site.start(process.execPath, [...nodeFlags, program], { env, cwd: dirname(program) })
    if (await accepting(at, () => !running.running)) return address
    // Another process may have taken the port first.
    await running.printed(/EADDRINUSE/)
  }
}

export interface Sent {
  /** The Host header. Default: the server name in the configuration. */
  host?: string
  body?: Response
}

/** Sends a request to a port of this machine, and reads the whole response. */
export async function send(
  port: number,
  method: string,
  path: string,
  { host = 'example.com', body }: Sent = {},
): Promise<{ status: number; body: string }> {
  const type = body?.headers.get('content-type')
  const headers = { Host: host, ...(type && { 'Content-Type': type }) }
  const asked = request({ port, method, path, headers }).end(body && Buffer.from(await body.arrayBuffer()))
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}
