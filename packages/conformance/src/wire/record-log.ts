import { ROLES, STATUSES, TYPES } from './bytes.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'

/** The largest number of lines in a description. If there are more, the first ones and the last ones are kept. */
const LINES_MAX = 14

/** Describes the records that were sent, or received, on a connection. */
export class RecordLog {
  readonly #lines: { text: string; times: number }[] = []
  readonly #reader = new RecordReader((record) => this.#add(describeRecord(record)))

  push(chunk: Buffer): void {
    this.#reader.push(chunk)
  }

  toString(): string {
    const { rest, invalid } = this.#reader
    const lines = this.#lines.map(({ text, times }) => (times === 1 ? text : `${text}, ${times} times`))
    if (rest.length > 0) {
      lines.push(invalid ? `${rest.length} bytes that are not a record` : `${rest.length} bytes of a record`)
    }
    if (lines.length === 0) return 'nothing'
    const excess = lines.length - LINES_MAX
    return (excess > 0 ? [...lines.slice(0, 3), '…', ...lines.slice(excess + 4)] : lines).join('; ')
  }

  #add(text: string): void {
    const last = this.#lines.at(-1)
    if (last?.text === text) last.times++
    else this.#lines.push({ text, times: 1 })
  }
}

/** Returns the name of a type, a role or a status. Returns the number if it has no name. */
export function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value)
}

function describeRecord({ type, id, content }: WireRecord): string {
  const name = `${nameOf(TYPES, type)} ${id}`
  if (type === TYPES.BEGIN_REQUEST && content.length === 8) {
    const keepConn = content[2]! & 1 ? ', KEEP_CONN' : ''
    return `${name} (${nameOf(ROLES, content.readUInt16BE(0))}${keepConn})`
  }
  if (type === TYPES.END_REQUEST && content.length === 8) {
    return `${name} (${nameOf(STATUSES, content[4]!)}, appStatus ${content.readUInt32BE(0)})`
  }
  return `${name} (${content.length})`
}
