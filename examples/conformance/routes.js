// Code shared by the JavaScript apps.
import { setTimeout } from 'node:timers/promises'

/** Splits a path into its route and number: `/bytes/10` is `['bytes', 10]`. */
export function routeOf(path) {
  const [, name, number] = path.split('/')
  return [name, Number(number)]
}

/** Returns that many bytes: `01234567890123…`. */
export function digits(count) {
  return Buffer.alloc(count, '0123456789')
}

/** Formats each param as a line `name=value`, both in hexadecimal. */
export function listParams(params) {
  const hex = (text) => Buffer.from(text, 'latin1').toString('hex')
  return Object.entries(params)
    .map(([name, value]) => `${hex(name)}=${hex(value)}\n`)
    .join('')
}

/** Resolves after `ms` milliseconds. Rejects when the signal aborts. */
export function sleep(ms, signal) {
  return setTimeout(ms, undefined, { signal })
}
