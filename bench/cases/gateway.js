import { measureLatency } from '../lib/latency.js'
import { compareSides } from '../lib/ratio.js'
import { core, express, helloWork } from './apps.js'

const TITLE = 'the gateway / nginx, in front of '

// The same app behind two front servers. There is no target: nginx is written in C, and the gateway is meant to be convenient.
/** @type {import('./index.js').Case[]} */
export const gatewayCases = [
  gatewayCase('core', `${TITLE}core`, core.side),
  gatewayCase('express', `${TITLE}Express 5`, express.side),
  {
    name: 'latency-gateway',
    peers: { nginx: 'nginx' },
    run: latency,
  },
]

function gatewayCase(name, title, app) {
  const rows = [{ name: title, side: 'side', peer: 'peer' }]
  return {
    name: `gateway-${name}`,
    peers: { nginx: 'nginx' },
    run: (setting) => compareSides({ work: helloWork, sides: fronts(app), rows }, setting),
  }
}

// nginx is the measured side here, and the gateway is its peer. The other way round, the gateway would also run at half of the rate that
// saturates nginx. That is more than it can handle, and would only measure its queue.
function latency(setting) {
  const { side: peer, peer: side } = fronts(express.side)
  return measureLatency('nginx / the gateway, in front of Express 5', { side, peer }, helloWork, setting)
}

function fronts(app) {
  return { side: { ...app, front: 'gateway' }, peer: { ...app, front: 'nginx' } }
}
