import { errors } from 'undici'
import { headerName } from './header-names.ts'

// A field value is bytes and has no control characters (RFC 9110 section 5.5).
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Converts request headers to one flat [name, value, name, value…] list. Accepts every form that undici's `dispatch`
 * does: a flat list, an object, an iterable of pairs, and lists as values.
 *
 * Throws undici's InvalidArgumentError for names and values that HTTP does not allow.
 */
export function flattenHeaders(headers: unknown): string[] {
  const list: string[] = []
  if (headers === null || headers === undefined) return list
  if (typeof headers !== 'object')
    throw new errors.InvalidArgumentError('headers must be an object or an array')
  if (Array.isArray(headers) && !Array.isArray(headers[0])) {
    if (headers.length % 2 !== 0) throw new errors.InvalidArgumentError('headers array must be even')
    for (let i = 0; i < headers.length; i += 2) addHeader(list, headers[i], headers[i + 1])
  } else if (Symbol.iterator in headers) {
    for (const pair of headers as Iterable<unknown>) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new errors.InvalidArgumentError('headers must be in key-value pair format')
      }
      addHeader(list, pair[0], pair[1])
    }
  } else {
    for (const name of Object.keys(headers)) addHeader(list, name, (headers as Record<string, unknown>)[name])
  }
  return list
}

function addHeader(list: string[], name: unknown, value: unknown): void {
  if (value === undefined) return
  if (Array.isArray(value)) {
    for (const one of value) addHeader(list, name, one)
    return
  }
  const nameText = text(name)
  const valueText = value === null ? '' : text(value)
  if (headerName(nameText) === undefined)
    throw new errors.InvalidArgumentError(`invalid header name ${JSON.stringify(nameText)}`)
  if (!FIELD_VALUE.test(valueText)) throw new errors.InvalidArgumentError(`invalid ${nameText} header`)
  list.push(nameText, valueText)
}

function text(value: unknown): string {
  if (typeof value === 'string') return value
  if (Buffer.isBuffer(value)) return value.toString('latin1')
  if (typeof value === 'object' || typeof value === 'function') {
    throw new errors.InvalidArgumentError('header names and values must be strings')
  }
  return String(value)
}
