import { pairs } from '@fcgi-bridge/testing'
import { expect, it } from 'vitest'
import { clientAddress, clientPort } from './client-address.ts'
import { Params } from './params.ts'

function addressOf(value: string | undefined): string | undefined {
  return clientAddress(paramsWith('REMOTE_ADDR', value))
}

function portOf(value: string | undefined): number | undefined {
  return clientPort(paramsWith('REMOTE_PORT', value))
}

function paramsWith(name: string, value: string | undefined): Params {
  return new Params(pairs(value === undefined ? [] : [[name, value]]))
}

it.each(['192.0.2.7', '::1', '::ffff:192.0.2.7', '2001:db8::1', 'fe80::1%eth0'])(
  '%s is an address',
  (text) => {
    expect(addressOf(text)).toBe(text)
  },
)

// Values that servers send for a client on a Unix socket, and invalid addresses.
it.each([
  undefined,
  '',
  'unix:',
  'unix:/run/front.sock',
  '@',
  '/run/front.sock',
  'front.test',
  '[::1]',
  '127.1',
])('%s is not an address', (text) => {
  expect(addressOf(text)).toBeUndefined()
})

it.each(['1', '80', '00080', '65535'])('%s is a port', (text) => {
  expect(portOf(text)).toBe(Number(text))
})

it.each([undefined, '', '0', '65536', '123456', '-1', '+80', '0x50', '8e1', ' 80', '80.0', '\u00b2'])(
  '%j is not a port',
  (text) => {
    expect(portOf(text)).toBeUndefined()
  },
)
