import { RECORD_CONTENT_MAX } from '@fcgi-bridge/core'

/** Text as UTF-8, one character a byte. */
export function latin1Bytes(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The name of a CGI variable, which remembers how its pairs begin. */
export class ParamName {
  readonly name: string
  // Both lengths and the name, by the length of the value.
  readonly #beginnings: string[] = []

  constructor(name: string) {
    this.name = name
  }

  /** A name-value pair (section 3.4), one character a byte as `value` is. */
  encode(value: string): string {
    const { length } = value
    if (length >= 0x80) return encodeLength(this.name.length) + encodeLength(length) + this.name + value
    this.#beginnings[length] ??= encodeLength(this.name.length) + encodeLength(length) + this.name
    return this.#beginnings[length] + value
  }
}

/** Puts params together as the contents of PARAMS records, one character a byte: nearly always one record. */
export class ParamsWriter {
  readonly #contents: string[] = []
  readonly #own: ReadonlyMap<string, string | undefined> | undefined
  #content = ''

  /** `own` are added at the end; what has a name in it is left out before. */
  constructor(own: ReadonlyMap<string, string | undefined> | undefined) {
    this.#own = own
  }

  /** Whether any variable is replaced or taken out. */
  get overrides(): boolean {
    return this.#own !== undefined
  }

  add(name: ParamName, value: string): void {
    if (this.#own?.has(name.name)) return
    this.append(name.encode(value))
  }

  // A pair is cut only where it does not fit a record of its own: PHP-FPM refuses pairs that go on in the next one.
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
