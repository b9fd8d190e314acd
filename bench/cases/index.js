// All cases, in the order of the report.

import { clientCases } from './client.js'
import { expressCases, expressPeer, expressUnkept } from './express.js'
import { fetchCases } from './fetch.js'
import { gatewayCases } from './gateway.js'
import { growthCases } from './growth.js'
import { hello, helloPeers, helloUnkept } from './hello.js'
import { latencyCases } from './latency.js'
import { nginxCases } from './nginx.js'
import { otelCases } from './otel.js'
import { sizeCases } from './sizes.js'
import { startupCases } from './startup.js'
import { transferCases } from './transfers.js'
import { uptimeCases } from './uptime.js'

/**
 * @typedef {object} Case
 * @property {string} name The name that `--only` matches.
 * @property {boolean} [quick] Part of a quick run.
 * @property {boolean} [everyNode] A full run also measures it on the newest Node LTS.
 * @property {Record<string, string>} [peers] Programs that it needs, and their Debian packages.
 * @property {(setting: import('../lib/side.js').Setting) => Promise<Result[]>} run
 *
 * @typedef {import('../lib/ratio.js').RatioResult | import('../lib/transfer.js').TransferResult
 *   | import('../lib/growth.js').GrowthResult | import('../lib/uptime.js').UptimeResult
 *   | import('../lib/latency.js').LatencyResult | import('../lib/startup.js').StartupResult | import('../lib/cgi.js').CgiResult | import('../lib/against.js').AgainstResult | MissingResult} Result
 *
 * @typedef {object} MissingResult A case that could not be measured.
 * @property {'missing'} type
 * @property {string} name The name of the case.
 * @property {string} node
 * @property {string} reason
 */

/** All cases of a full run. @type {Case[]} */
export const cases = [
  hello,
  ...fetchCases,
  ...expressCases,
  helloUnkept,
  expressUnkept,
  ...helloPeers,
  expressPeer,
  ...otelCases,
  ...clientCases,
  ...nginxCases,
  ...gatewayCases,
  ...transferCases,
  ...sizeCases,
  ...growthCases,
  ...uptimeCases,
  ...latencyCases,
  ...startupCases,
]

/** The cases in which our servers can be compared with those of another checkout. @type {Case[]} */
export const checkoutCases = [
  hello,
  ...fetchCases,
  ...expressCases,
  helloUnkept,
  expressUnkept,
  ...sizeCases,
  ...transferCases,
  ...clientCases,
  ...otelCases,
  ...nginxCases,
  ...gatewayCases.slice(0, 2),
]
