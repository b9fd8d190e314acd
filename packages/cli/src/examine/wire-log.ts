import type {
  ExchangeBegin,
  ExchangeEnd,
  ExchangeHead,
  ExchangeObserver,
  ExchangeRecord,
} from '@fcgi-bridge/client'
import {
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_END_REQUEST,
  FCGI_PARAMS,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
} from '@fcgi-bridge/core'
import { printable } from '../terminal.ts'

const TYPES = new Map([
  [FCGI_BEGIN_REQUEST, 'FCGI_BEGIN_REQUEST'],
  [FCGI_ABORT_REQUEST, 'FCGI_ABORT_REQUEST'],
  [FCGI_END_REQUEST, 'FCGI_END_REQUEST'],
  [FCGI_PARAMS, 'FCGI_PARAMS'],
  [FCGI_STDIN, 'FCGI_STDIN'],
  [FCGI_STDOUT, 'FCGI_STDOUT'],
  [FCGI_STDERR, 'FCGI_STDERR'],
])

/** A record of a request or its response, as it is printed. */
interface LoggedRecord {
  direction: ExchangeRecord['direction']
  /** The name of the record type in the specification. For an unknown type, its number. */
  type: string
  contentLength: number
  paddingLength: number
  /** Milliseconds since the request began. */
  time: number
}

/** Collects the params and records of one request. With `print`, prints them on standard error as they are sent and received. */
export class WireLog implements ExchangeObserver {
  params: ExchangeBegin['params'] = []
  readonly records: LoggedRecord[] = []
  head: ExchangeHead | undefined
  end: ExchangeEnd | undefined
  /** Resolves when the app has ended the request. */
  readonly ended: Promise<void>
  readonly #print: boolean
  #settle!: () => void

  constructor(print: boolean) {
    this.#print = print
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  onBegin({ params }: ExchangeBegin): void {
    this.params = params
    for (const [name, value] of params) this.#log(`  ${name}=${value}`)
  }

  onRecord({ direction, type, contentLength, paddingLength, time }: ExchangeRecord): void {
    const name = TYPES.get(type) ?? String(type)
    const record = { direction, type: name, contentLength, paddingLength, time: Math.round(time * 10) / 10 }
    this.records.push(record)
    this.#log(`${direction === 'sent' ? '>' : '<'} ${name} ${contentLength} bytes, ${record.time} ms`)
  }

  onHead(head: ExchangeHead): void {
    this.head = head
  }

  onEnd(end: ExchangeEnd): void {
    this.end = end
    const { appStatus, protocolStatus, time } = end
    if (appStatus !== undefined) {
      this.#log(`* ended: appStatus ${appStatus}, protocolStatus ${protocolStatus}, ${time.toFixed(1)} ms`)
    }
    this.#settle()
  }

  #log(line: string): void {
    if (this.#print) process.stderr.write(`${printable(line)}\n`)
  }
}
