import { RECORD_CONTENT_MAX } from '@fcgi-bridge/core'

/** Encodes text as UTF-8, one character per byte. */
export function latin1Bytes(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The name of a CGI variable. Caches the encoded beginning of its name-value pairs. */
export class ParamName {
  readonly name: string
  // Both lengths and the name, by the length of the value.
  readonly #beginnings: string[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Encodes a name-value pair (section 3.4). `value` and the result have one character per byte. */
  encode(value: string): string {
    const { length } = value
    if (length >= 0x80) return encodeLength(this.name.length) + encodeLength(length) + this.name + value
    this.#beginnings[length] ??= encodeLength(this.name.length) + encodeLength(length) + this.name
    return this.#beginnings[length] + value
  }
}

/** Collects params into the contents of PARAMS records, one character per byte. Nearly always one record is enough. */
export class ParamsWriter {
  readonly #contents: string[] = []
  readonly #own: ReadonlyMap<string, string | undefined> | undefined
  #content = ''

  /** The variables in `own` are added at the end. {@link add} skips variables with these names. */
  constructor(own: ReadonlyMap<string, string | undefined> | undefined) {
    this.#own = own
  }

  /** True if any variable is replaced or removed. */
  get overrides(): boolean {
    return this.#own !== undefined
  }

  add(name: ParamName, value: string): void {
    if (this.#own?.has(name.name)) return
    this.append(name.encode(value))
  }

  // Split a pair only if it does not fit in one record: PHP-FPM refuses pairs that continue in the next
  // record.
  append(pair: string): void {
    if (this.#content.length + pair.length > RECORD_CONTENT_MAX) {
      if (this.#content !== '') this.#contents.push(this.#content)
      for (; pair.length > RECORD_CONTENT_MAX; pair = pair.slice(RECORD_CONTENT_MAX)) {
        this.#contents.push(pair.slice(0, RECORD_CONTENT_MAX))
      }
      this.#content = ''
    }
    this.#content += pair
  }

  end(): string[] {
    for (const [name, value] of this.#own ?? []) {
      if (value !== undefined) {
        this.append(encodeLength(name.length) + encodeLength(value.length) + name + value)
      }
    }
    if (this.#content !== '') this.#contents.push(this.#content)
    return this.#contents
  }
}

function encodeLength(length: number): string {
  if (length < 0x80) return String.fromCharCode(length)
  return String.fromCharCode(
    (length >>> 24) | 0x80,
    (length >>> 16) & 0xff,
    (length >>> 8) & 0xff,
    length & 0xff,
  )
}
