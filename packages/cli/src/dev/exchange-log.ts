import type {
  ExchangeBegin,
  ExchangeEnd,
  ExchangeHead,
  ExchangeObserver,
  ExchangeRecord,
  ExchangeStderr,
} from '@fcgi-bridge/client'
import { type ReadRequest, TRACE_PARAM } from './messages.ts'

/** One exchange in the list. */
interface ExchangeSummary {
  id: number
  method: string
  target: string
  /** When it began, in milliseconds since 1970. */
  begun: number
  /** Status of the response, once its head has arrived. */
  status?: number
  /** Milliseconds from begin to end, once the exchange has ended. */
  duration?: number
  /** The message of the error that ended it. */
  error?: string
  /** Bytes on the wire, including record headers and padding. */
  sent: number
  received: number
  /** It wrote to FCGI_STDERR. */
  stderr: boolean
}

/** A param, as sent. */
export type Param = readonly [name: string, value: string]

/** What is kept of a record. */
type KeptRecord = Pick<ExchangeRecord, 'direction' | 'type' | 'contentLength' | 'paddingLength' | 'time'>

/** An exchange, within the limits of {@link KEPT}. Values have one character per byte, and very long ones are truncated. */
export interface KeptExchange extends ExchangeSummary {
  requestId: number
  connection: number
  params: Param[]
  /** The first and the last records. */
  firstRecords: KeptRecord[]
  lastRecords: KeptRecord[]
  recordCount: number
  stderrText: Buffer[]
  stderrBytes: number
  /** name, value, name, value … */
  responseHeaders: readonly string[]
  headTime?: number
  appStatus?: number
  protocolStatus?: number
  read?: ReadRequest
}

/** Limits of what is kept, because an app may run for days. */
export const KEPT = {
  exchanges: 200,
  /** All params of one exchange, in characters. */
  params: 65_536,
  value: 8192,
  firstRecords: 200,
  lastRecords: 50,
  /** In bytes. */
  stderr: 32_768,
} as const

const RECORD_HEADER = 8

/** Observes a dispatcher and keeps its last exchanges, within the limits of {@link KEPT}. */
export class ExchangeLog implements ExchangeObserver {
  /** Called when an exchange begins or changes. */
  onChange: (exchange: KeptExchange) => void = () => {}
  readonly #exchanges = new Map<number, KeptExchange>()
  readonly #ofTrace = new Map<string, KeptExchange>()

  onBegin({ id, method, target, params, requestId, connection }: ExchangeBegin): void {
    const exchange: KeptExchange = {
      id,
      method,
      target: cut(target),
      begun: Date.now(),
      sent: 0,
      received: 0,
      stderr: false,
      requestId,
      connection,
      params: keepParams(params),
      firstRecords: [],
      lastRecords: [],
      recordCount: 0,
      stderrText: [],
      stderrBytes: 0,
      responseHeaders: [],
    }
    this.#exchanges.set(id, exchange)
    const trace = params.find(([name]) => name === TRACE_PARAM)?.[1]
    if (trace !== undefined) this.#ofTrace.set(trace, exchange)
    // Maps keep insertion order, so the first key is the oldest.
    if (this.#exchanges.size > KEPT.exchanges) this.#exchanges.delete(first(this.#exchanges)!)
    if (this.#ofTrace.size > KEPT.exchanges) this.#ofTrace.delete(first(this.#ofTrace)!)
    this.onChange(exchange)
  }

  onRecord({ id, direction, type, contentLength, paddingLength, time }: ExchangeRecord): void {
    this.#with(id, (exchange) => {
      const record = { direction, type, contentLength, paddingLength, time }
      exchange[direction] += RECORD_HEADER + contentLength + paddingLength
      exchange.recordCount++
      if (exchange.firstRecords.length < KEPT.firstRecords) exchange.firstRecords.push(record)
      else {
        exchange.lastRecords.push(record)
        if (exchange.lastRecords.length > KEPT.lastRecords) exchange.lastRecords.shift()
      }
    })
  }

  onStderr({ id, chunk }: ExchangeStderr): void {
    this.#with(id, (exchange) => {
      exchange.stderr = true
      const room = KEPT.stderr - exchange.stderrText.reduce((sum, { length }) => sum + length, 0)
      // Copy: the chunk is a view, which would keep the whole read buffer alive.
      if (room > 0) exchange.stderrText.push(Buffer.from(chunk.subarray(0, room)))
      exchange.stderrBytes += chunk.length
    })
  }

  onHead({ id, status, headers, time }: ExchangeHead): void {
    this.#with(id, (exchange) => {
      exchange.status = status
      exchange.responseHeaders = headers.map(cut)
      exchange.headTime = time
    })
  }

  onEnd({ id, appStatus, protocolStatus, error, time }: ExchangeEnd): void {
    this.#with(id, (exchange) => {
      exchange.duration = time
      if (appStatus !== undefined) exchange.appStatus = appStatus
      if (protocolStatus !== undefined) exchange.protocolStatus = protocolStatus
      if (error !== undefined) exchange.error = error.message
    })
  }

  /** Stores how the app's process read the request with this trace. */
  onRead(trace: string, read: ReadRequest): void {
    const exchange = this.#ofTrace.get(trace)
    if (exchange === undefined) return
    this.#ofTrace.delete(trace)
    exchange.read = { ...read, url: cut(read.url), headers: read.headers.map(cut) }
    this.onChange(exchange)
  }

  get(id: number): KeptExchange | undefined {
    return this.#exchanges.get(id)
  }

  /** The kept exchanges, the oldest first. */
  list(): ExchangeSummary[] {
    return [...this.#exchanges.values()].map(summaryOf)
  }

  /** Removes all exchanges. */
  clear(): void {
    this.#exchanges.clear()
    this.#ofTrace.clear()
  }

  #with(id: number, change: (exchange: KeptExchange) => void): void {
    const exchange = this.#exchanges.get(id)
    if (exchange === undefined) return
    change(exchange)
    this.onChange(exchange)
  }
}

/** The properties of an exchange that the list shows. */
export function summaryOf(exchange: KeptExchange): ExchangeSummary {
  const { id, method, target, begun, status, duration, error, sent, received, stderr } = exchange
  return {
    id,
    method,
    target,
    begun,
    sent,
    received,
    stderr,
    ...(status !== undefined && { status }),
    ...(duration !== undefined && { duration }),
    ...(error !== undefined && { error }),
  }
}

function keepParams(params: readonly Param[]): Param[] {
  const kept: Param[] = []
  let room: number = KEPT.params
  for (const [name, value] of params) {
    if (name === TRACE_PARAM) continue
    const param: Param = [cut(name), cut(value)]
    room -= param[0].length + param[1].length
    if (room < 0) {
      kept.push(['…', `${params.length - kept.length} more params were left out.`])
      break
    }
    kept.push(param)
  }
  return kept
}

function cut(text: string): string {
  return text.length > KEPT.value ? `${text.slice(0, KEPT.value)}… (${text.length} bytes)` : text
}

function first<Key>(map: ReadonlyMap<Key, unknown>): Key | undefined {
  return map.keys().next().value
}
