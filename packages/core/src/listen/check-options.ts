import { parseAddress } from './address.ts'

/** The names of {@link ListenOptions}. */
export const LISTEN_OPTION_NAMES = [
  'port',
  'host',
  'path',
  'mode',
  'fd',
  'backlog',
  'reusePort',
  'shared',
] as const

// Names that other servers use for these options. For some of them, edit distance finds another option or none.
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['hostname', 'host'],
  ['socket', 'path'],
  ['socketPath', 'path'],
  ['unix', 'path'],
  ['maxBodySize', 'maxBodyBytes'],
  ['bodyLimit', 'maxBodyBytes'],
  ['timeout', 'requestTimeout'],
])

/** Examples of an address, for error messages. */
export const ADDRESS_EXAMPLES = "{ port: 9000 } or { path: '/run/app.sock' }"

/**
 * Throws a TypeError unless `options` is an object whose property names are all in `names`. The message suggests the nearest known option.
 * If `options` is a port or a path, it suggests what to write. If it is a function, it says `callbackAdvice`. An unknown name with the value
 * undefined is ignored.
 */
export function checkOptions(
  options: unknown,
  names: readonly string[],
  callbackAdvice?: string,
): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const advice = (typeof options === 'function' ? callbackAdvice : undefined) ?? suggestion(options, names)
    throw new TypeError(`The options must be an object, not ${describe(options)}. ${advice}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !names.includes(name)) throw new TypeError(unknownOption(name, names))
  }
}

function unknownOption(name: string, names: readonly string[]): string {
  const message = `There is no option '${name}'.`
  if ((LISTEN_OPTION_NAMES as readonly string[]).includes(name)) {
    return `${message} Pass it to listen().`
  }
  const near = nearest(name, names)
  return near === undefined
    ? `${message} The options are ${names.join(', ')}.`
    : `${message} Did you mean '${near}'?`
}

function nearest(name: string, names: readonly string[]): string | undefined {
  const synonym = SYNONYMS.get(name)
  if (synonym !== undefined && names.includes(synonym)) return synonym
  let best: string | undefined
  let least = Math.max(2, name.length / 2) + 1
  for (const known of names) {
    const distance = editDistance(name.toLowerCase(), known.toLowerCase())
    if (distance < least) {
      least = distance
      best = known
    }
  }
  return best
}

// The Levenshtein distance, computed one row at a time.
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

function suggestion(options: unknown, names: readonly string[]): string {
  const address = addressIn(options)
  if (names.includes('port')) return `Write ${address ?? ADDRESS_EXAMPLES}.`
  return address === undefined
    ? `The options are ${names.join(', ')}.`
    : `Pass the address to listen(${address}).`
}

// Returns the options for a port or a path; undefined if the value is neither.
function addressIn(value: unknown): string | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  try {
    const { path, port, host } = parseAddress(String(value))
    if (path !== undefined) return `{ path: '${path}' }`
    return host === undefined ? `{ port: ${port} }` : `{ port: ${port}, host: '${host}' }`
  } catch {
    // It is not an address.
    return undefined
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'function') return 'a function'
  return Array.isArray(value) ? 'an array' : String(value)
}
