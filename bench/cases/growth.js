import { LINE } from '../apps/writes.js'
import { measureGrowth } from '../lib/growth.js'
import { core, helloWork } from './apps.js'

/** @type {import('./index.js').Case[]} */
export const growthCases = [
  growthCase('params', {
    name: 'params, all of them read',
    x: 'params per request',
    values: [10, 27, 50, 100, 200, 500],
    isPerUnit: true,
    side: { program: 'core-params.js', protocol: 'fastcgi' },
    // The HTTP peer gets one header for each HTTP_* param. Raise the limit, because node:http accepts only 16 KiB of headers by default.
    peer: { program: 'http-headers.js', protocol: 'http', flags: ['--max-http-header-size=131072'] },
    work: (params) => ({ ...helloWork, request: { path: '/', params } }),
  }),
  growthCase('connections', {
    name: 'connections',
    x: 'connections with one request each',
    values: [1, 4, 16, 64, 256, 1000, 2000],
    isPerUnit: false,
    ...core,
    work: (connections) => ({ ...helloWork, connections }),
  }),
  growthCase('multiplexed', {
    name: 'multiplexed requests',
    x: 'concurrent requests on each of 8 connections',
    values: [1, 4, 16, 64, 256],
    isPerUnit: false,
    side: core.side,
    work: (multiplexed) => ({ ...helloWork, connections: 8, multiplexed }),
  }),
  growthCase('records', {
    name: 'response records',
    x: 'writes of 64 bytes per response',
    values: [1, 10, 100, 1000, 10_000],
    isPerUnit: true,
    side: { program: 'core-writes.js', protocol: 'fastcgi' },
    peer: { program: 'http-writes.js', protocol: 'http' },
    work: (writes) => ({
      request: { path: `/${writes}` },
      expected: { length: writes * LINE.length },
      connections: 8,
    }),
  }),
]

function growthCase(name, growth) {
  return { name: `growth-${name}`, run: (setting) => measureGrowth(growth, setting) }
}
