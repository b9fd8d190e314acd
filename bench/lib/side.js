import { Generator } from './generator.js'
import { Nginx } from './nginx.js'
import { Server } from './server.js'

/**
 * @typedef {object} Setting The settings of a whole run.
 * @property {string} node The Node that runs the servers.
 * @property {string} nodeVersion
 * @property {number} nodeMajor
 * @property {import('./server.js').Transport} transport
 * @property {Pace} pace
 * @property {number} [connections] For work without a number of its own; default {@link CONNECTIONS}.
 * @property {string} [profiles] A folder for CPU profiles of the servers.
 * @property {string} [against] Another checkout: our servers are compared with themselves in that checkout.
 *
 * @typedef {object} Pace
 * @property {number} launches How often the servers are started: the JIT's results differ between starts.
 * @property {number} rounds In each launch.
 * @property {number} milliseconds Duration of the load in each round, for each side.
 * @property {number} warmUpRequests Before the first round.
 * @property {number} warmUpMilliseconds Time limit of the warm-up.
 *
 * @typedef {object} Work The requests for a side.
 * @property {import('./request.js').RequestSpec} request
 * @property {import('../load/expected.js').Expected} expected
 * @property {number} [connections] Default: the setting's.
 * @property {number} [multiplexed] Concurrent requests on each connection; default 1.
 * @property {boolean} [nginx] With an nginx between the load and the server, if the server's spec names no front server.
 *
 * @typedef {object} Sample
 * @property {number} cpu Microseconds per request, of the server and, if there is one, its nginx.
 * @property {number} frontCpu Of nginx only.
 * @property {number} rate Requests per second.
 * @property {number} generatorBusy The share of the time in which the load generator was busy.
 */

/** The default number of connections. */
export const CONNECTIONS = 32

/** A side of a comparison: a server and its own load generator. */
export class Side {
  /** @type {Server} */
  server
  generator = new Generator()
  /** @type {import('../load/requester.js').Load} */
  load
  /** @type {Nginx | Server | undefined} */
  #front
  #spec
  #connections = CONNECTIONS

  /**
   * @param {import('./server.js').ServerSpec} spec
   * @param {Work} work
   * @param {Setting} setting
   */
  static async start(spec, work, setting) {
    const side = new Side()
    try {
      const front = spec.front ?? (work.nginx ? 'nginx' : undefined)
      side.server = await Server.start(spec, front ? { ...setting, transport: 'unix' } : setting)
      if (front) side.#front = await startFront(front, spec, side.server.address, setting)
    } catch (error) {
      await side.stop()
      throw error
    }
    side.#spec = spec
    side.#connections = setting.connections ?? CONNECTIONS
    side.setWork(work)
    return side
  }

  /** Sets the requests to send from now on. The front server is not changed. @param {Work} work */
  setWork({ connections = this.#connections, expected, multiplexed, request }) {
    const { oneRequestEach, protocol } = this.#spec
    this.load = {
      address: this.#front?.address ?? this.server.address,
      protocol: this.#front === undefined ? protocol : 'http',
      request,
      expected,
      connections,
      multiplexed,
      oneRequestEach,
      // With a front server, no core is left for the load generator alone.
      awake: this.#front === undefined,
    }
  }

  /** @param {Pick<Pace, 'warmUpMilliseconds' | 'warmUpRequests'>} pace */
  async warmUp({ warmUpMilliseconds, warmUpRequests }) {
    await this.generator.open(this.load)
    await this.generator.run({ milliseconds: warmUpMilliseconds, requests: warmUpRequests })
    await this.generator.close()
  }

  /**
   * Measures the cost of requests on new connections, after a few requests on each.
   * @param {number} milliseconds
   * @returns {Promise<Sample>}
   */
  async sample(milliseconds) {
    await this.generator.open(this.load)
    const { connections, multiplexed = 1 } = this.load
    await this.generator.run({ milliseconds, requests: Math.max(300, 2 * connections * multiplexed) })
    const server = this.server.cpuTime()
    const front = this.#front?.cpuTime() ?? 0
    const result = await this.generator.run({ milliseconds })
    const frontCpu = ((this.#front?.cpuTime() ?? 0) - front) / result.requests
    const cpu = (this.server.cpuTime() - server) / result.requests + frontCpu
    await this.generator.close()
    return {
      cpu,
      frontCpu,
      rate: (result.requests / result.milliseconds) * 1000,
      generatorBusy:
        (this.load.awake ? result.milliseconds - result.idle : result.cpu / 1000) / result.milliseconds,
    }
  }

  async stop() {
    await this.generator.stop()
    await this.#front?.stop()
    await this.server?.stop()
  }
}

/**
 * @param {'nginx' | 'gateway'} front
 * @param {import('./server.js').ServerSpec} spec Of the app.
 * @param {import('node:net').NetConnectOpts} address
 * @param {Setting} setting
 */
function startFront(front, { checkout, protocol }, address, setting) {
  if (!('path' in address)) throw new Error('A front server connects to a Unix socket only.')
  if (front === 'nginx') return Nginx.start(protocol, address)
  return Server.start(
    { program: 'gateway.js', protocol: 'http', variant: address.path, checkout },
    { ...setting, transport: 'tcp' },
  )
}
