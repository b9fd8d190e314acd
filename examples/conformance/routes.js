// What the apps in JavaScript share.
import { setTimeout } from 'node:timers/promises'

/** The route of a path, and its number: `/bytes/10` is `['bytes', 10]`. */
export function routeOf(path) {
  const [, name, number] = path.split('/')
  return [name, Number(number)]
}

/** As many bytes, `01234567890123…`. */
export function digits(count) {
  return Buffer.alloc(count, '0123456789')
}

/** A line for each param, `name=value`, both in hexadecimal. */
export function listParams(params) {
  const hex = (text) => Buffer.from(text, 'latin1').toString('hex')
  return Object.entries(params)
    .map(([name, value]) => `${hex(name)}=${hex(value)}\n`)
    .join('')
}

/** Settles after `ms` milliseconds; rejects when the signal aborts. */
export function sleep(ms, signal) {
  return setTimeout(ms, undefined, { signal })
}
