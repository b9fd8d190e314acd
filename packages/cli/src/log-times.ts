// Gives the entries of a log file a time: stack traces and `console.log` have none.

/** The standard streams that go to the log. */
export type LogStream = 'stdout' | 'stderr'

type Write = (chunk: unknown, ...rest: unknown[]) => boolean

// A time in the first characters of an entry: that of an access log or of a logger of the app.
const TIME = /\d\d:\d\d:\d\d/
const TIME_WITHIN = 100

// False after text without a line end. Both streams go to the same file.
let isAtLineStart = true

/**
 * From now on, writes the time in front of each entry, such as `2026-12-01T03:05:00.000Z `. An entry is what one call of `write` writes from the
 * start of a line on, so a stack trace has one time. JSON lines, and entries that begin with a time of their own, stay as they are.
 */
export function addTimes(streams: readonly LogStream[]): void {
  for (const name of streams) addTimesOnUse(name)
  addTimesOfNode()
}

// The stream is created at its first use, because a process that relays needs none.
function addTimesOnUse(name: LogStream): void {
  const descriptor = Object.getOwnPropertyDescriptor(process, name)!
  const getStream = descriptor.get!
  let stream: NodeJS.WriteStream | undefined
  Object.defineProperty(process, name, {
    ...descriptor,
    get() {
      if (stream === undefined) {
        stream = getStream.call(process) as NodeJS.WriteStream
        const write: Write = stream.write.bind(stream) as Write
        stream.write = ((chunk, ...rest) => write(timed(chunk, rest[0]), ...rest)) as Write
      }
      return stream
    },
  })
}

// Node prints warnings and uncaught exceptions without these streams.
function addTimesOfNode(): void {
  const node = process as { _rawDebug?: (text: string) => void }
  const print = node._rawDebug
  if (print !== undefined) node._rawDebug = (text) => print(`${now()}${text}`)
  process.on('uncaughtExceptionMonitor', () => {
    // If a listener handles the exception, its next entry continues this line.
    if (process.listenerCount('uncaughtException') === 0) process.stderr.write(now())
  })
}

function timed(chunk: unknown, encoding: unknown): unknown {
  if (typeof chunk === 'string') {
    if (typeof encoding === 'string' && !/^utf-?8$/i.test(encoding))
      return timed(Buffer.from(chunk, encoding as BufferEncoding), undefined)
    return needsTime(chunk, chunk.at(-1)) ? now() + chunk : chunk
  }
  if (!(chunk instanceof Uint8Array)) return chunk
  const start = Buffer.from(chunk.subarray(0, TIME_WITHIN)).toString('latin1')
  const isTimed = needsTime(start, String.fromCharCode(chunk.at(-1) ?? 0))
  return isTimed ? Buffer.concat([Buffer.from(now()), chunk]) : chunk
}

/** Whether a chunk with this start and last character begins an entry without a time. */
function needsTime(start: string, last: string | undefined): boolean {
  if (start === '') return false
  const isEntry = isAtLineStart
  isAtLineStart = last === '\n'
  const [line] = start.slice(0, TIME_WITHIN).split('\n', 1)
  return isEntry && !start.startsWith('{') && !TIME.test(line!)
}

function now(): string {
  return `${new Date().toISOString()} `
}
