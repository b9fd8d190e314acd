import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { endChild } from '../../scripts/lib/processes.js'
import { root } from '../../scripts/lib/run.js'
import { cpuTime } from './cpu.js'
import { httpHeaders } from './request.js'
import { profileFlags, Server } from './server.js'
import { CONNECTIONS } from './side.js'

/**
 * @typedef {object} ClientTask The configuration of the client.
 * @property {import('node:net').NetConnectOpts} address
 * @property {'fastcgi' | 'http'} protocol
 * @property {number} connections
 * @property {string} method
 * @property {string} path
 * @property {[string, string][]} headers
 * @property {string} [body]
 * @property {import('../load/expected.js').Expected} expected
 */

/** A side of a comparison of clients: a measured client, and a server that responds to it. */
export class ClientSide {
  /** @type {Server} */
  #server
  #child
  /** Rejects when the client has exited. @type {Promise<never>} */
  #ended

  /**
   * @param {import('./server.js').ServerSpec} spec
   * @param {import('./side.js').Work} work
   * @param {import('./side.js').Setting} setting
   */
  static async start(spec, { connections, expected, request }, setting) {
    const side = new ClientSide()
    const { profiles, ...unprofiled } = setting
    side.#server = await Server.start(spec, unprofiled)
    /** @type {ClientTask} */
    const task = {
      address: side.#server.address,
      protocol: spec.protocol,
      connections: connections ?? setting.connections ?? CONNECTIONS,
      method: request.method ?? 'GET',
      path: request.path ?? '/',
      headers: httpHeaders(request),
      body: request.body,
      expected,
    }
    side.#child = fork(join(spec.checkout ?? root, 'bench/clients/undici.js'), [JSON.stringify(task)], {
      execPath: setting.node,
      execArgv: profileFlags(`client-${spec.protocol}`, profiles),
      env: { ...process.env, NODE_ENV: 'production' },
    })
    side.#ended = once(side.#child, 'exit').then(([code, signal]) => {
      throw new Error(`The client exited (${signal ?? code}).`)
    })
    side.#ended.catch(() => {})
    await side.#response()
    return side
  }

  /** @param {Pick<import('./side.js').Pace, 'warmUpMilliseconds' | 'warmUpRequests'>} pace */
  warmUp({ warmUpMilliseconds: milliseconds, warmUpRequests: requests }) {
    return this.#run({ milliseconds, requests })
  }

  /**
   * @param {number} milliseconds
   * @returns {Promise<import('./side.js').Sample>} Its cost is that of the client.
   */
  async sample(milliseconds) {
    const before = cpuTime(this.#child.pid)
    const { requests, milliseconds: taken } = await this.#run({ milliseconds })
    const cpu = (cpuTime(this.#child.pid) - before) / requests
    return { cpu, frontCpu: 0, rate: (requests / taken) * 1000, generatorBusy: 0 }
  }

  async stop() {
    const child = this.#child
    // The client exits by itself, after it has written its profile.
    if (child !== undefined) await endChild(child, () => child.disconnect())
    await this.#server?.stop()
  }

  #run(bounds) {
    this.#child.send(bounds)
    return this.#response()
  }

  async #response() {
    const message = once(this.#child, 'message')
    const [{ error, result }] = await Promise.race([message, this.#ended])
    if (error !== undefined) throw new Error(`The client failed: ${error}`)
    return result
  }
}
