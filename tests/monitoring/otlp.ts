import { Receiver } from './receiver.ts'

/** A span of OTLP/HTTP JSON, with its attributes as a plain object. */
export interface Span {
  readonly traceId: string
  readonly spanId: string
  /** `''` for a root span. */
  readonly parentSpanId: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'other'
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: number
  readonly events: readonly { readonly name: string }[]
}

/** A histogram. The last export counts. */
export interface Metric {
  readonly name: string
  readonly points: readonly {
    readonly attributes: Readonly<Record<string, unknown>>
    readonly count: number
  }[]
}

interface KeyValue {
  key: string
  value: Record<string, unknown>
}

interface RawSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  attributes: KeyValue[]
  status: { code?: number }
  events: { name: string }[]
}

interface RawMetric {
  name: string
  histogram?: { dataPoints: { attributes: KeyValue[]; count: number | string }[] }
}

const KINDS = ['other', 'internal', 'server', 'client'] as const

/** An OTLP/HTTP receiver. */
export class OtlpReceiver extends Receiver {
  /** All spans so far. */
  get spans(): Span[] {
    return this.#read<{
      resourceSpans: { scopeSpans: { spans: RawSpan[] }[] }[]
    }>('/v1/traces')
      .flatMap(({ resourceSpans }) => resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans)
      .flatMap(({ spans }) => spans)
      .map(({ traceId, spanId, parentSpanId, name, kind, attributes, status, events }) => ({
        traceId,
        spanId,
        parentSpanId: parentSpanId ?? '',
        name,
        kind: KINDS[kind] ?? 'other',
        attributes: plain(attributes),
        status: status.code ?? 0,
        events,
      }))
  }

  /** The histograms of the last export. */
  get metrics(): Metric[] {
    const exports = this.#read<{
      resourceMetrics: { scopeMetrics: { metrics: RawMetric[] }[] }[]
    }>('/v1/metrics')
    return (exports.at(-1)?.resourceMetrics ?? [])
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
      .map(({ name, histogram }) => ({
        name,
        points: (histogram?.dataPoints ?? []).map(({ attributes, count }) => ({
          attributes: plain(attributes),
          count: Number(count),
        })),
      }))
  }

  #read<T>(path: string): T[] {
    return this.received
      .filter((request) => request.path === path)
      .map(({ body }) => JSON.parse(body.toString()) as T)
  }
}

function plain(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
