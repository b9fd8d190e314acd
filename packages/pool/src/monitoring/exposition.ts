// Writes metrics in the formats that Prometheus reads.

/** `openmetrics` is OpenMetrics 1.0, `text` is Prometheus's own format, version 0.0.4. */
export type Format = 'openmetrics' | 'text'

/** The media type of each format. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
}

type Labels = Readonly<Record<string, string | number>>

/** A kind of metric: the suffix of its samples, and its type in each format. */
const KINDS = {
  gauge: { suffix: '', openmetrics: 'gauge', text: 'gauge' },
  counter: { suffix: '_total', openmetrics: 'counter', text: 'counter' },
  info: { suffix: '_info', openmetrics: 'info', text: 'gauge' },
  summary: { suffix: '', openmetrics: 'summary', text: 'summary' },
  histogram: { suffix: '', openmetrics: 'histogram', text: 'histogram' },
} as const

/** Collects metrics and writes them as text. A metric without samples is left out. */
export class Exposition {
  readonly #format: Format
  readonly #lines: string[] = []

  constructor(format: Format) {
    this.#format = format
  }

  /** Adds a metric family. `name` is without the suffix `_total` or `_info`. */
  add(
    kind: Exclude<keyof typeof KINDS, 'histogram'>,
    name: string,
    help: string,
    samples: readonly (readonly [Labels, number])[],
  ): void {
    if (samples.length === 0) return
    const sampleName = name + KINDS[kind].suffix
    this.#head(kind, name, help)
    for (const [labels, value] of samples) this.#sample(sampleName, labels, value)
  }

  /** Adds a histogram. `counts[i]` are the values of at most `bounds[i]` and more than the bound before; the last has no bound. */
  addHistogram(
    name: string,
    help: string,
    bounds: readonly number[],
    counts: readonly number[],
    sum: number,
  ): void {
    this.#head('histogram', name, help)
    let total = 0
    counts.forEach((count, index) => {
      total += count
      this.#sample(`${name}_bucket`, { le: boundText(bounds[index]) }, total)
    })
    this.#sample(`${name}_count`, {}, total)
    this.#sample(`${name}_sum`, {}, sum)
  }

  toString(): string {
    const end = this.#format === 'openmetrics' ? ['# EOF', ''] : ['']
    return [...this.#lines, ...end].join('\n')
  }

  #head(kind: keyof typeof KINDS, name: string, help: string): void {
    const isText = this.#format === 'text'
    // OpenMetrics names the family, Prometheus's own format the samples.
    const family = isText ? name + KINDS[kind].suffix : name
    this.#lines.push(`# TYPE ${family} ${KINDS[kind][this.#format]}`)
    const unit = /_(seconds|bytes)$/.exec(name)?.[1]
    if (unit !== undefined && !isText) this.#lines.push(`# UNIT ${family} ${unit}`)
    this.#lines.push(`# HELP ${family} ${escapeText(help)}`)
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeText(String(text))}"`)
    this.#lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`)
  }
}

function boundText(bound: number | undefined): string {
  if (bound === undefined) return '+Inf'
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound)
}

function escapeText(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
}
