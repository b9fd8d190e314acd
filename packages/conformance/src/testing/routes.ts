import { setTimeout } from 'node:timers/promises'
import { bytes, TYPES } from '../wire/bytes.ts'

const hex = (text: string): string => bytes(text).toString('hex')

/** What a route needs from the request that it responds to. */
interface RoutedRequest {
  readonly params: readonly [name: string, value: string][]
  readonly body: string
  readonly bodyEnded: boolean
  readonly data: string
  readonly dataEnded: boolean
  /** The response has ended, or the request was aborted. */
  readonly ended: boolean
  param(name: string): string | undefined
  /** Settles when `done` holds, or the request has ended. */
  until(done: () => boolean): Promise<void>
  /** Sends records of a stream, STDOUT or STDERR. */
  write(type: number, content: string): void
  /** Ends STDOUT and the request. */
  end(appStatus?: number): void
}

/** Responds to a request. */
type Route = (request: RoutedRequest) => unknown

/** The routes of the README, by the first segment of the path. */
export const ROUTES: Readonly<Record<string, Route>> = {
  bytes: (request) =>
    reply(request, '0123456789'.repeat(numberOf(request) / 10 + 1).slice(0, numberOf(request))),
  params: (request) =>
    reply(request, request.params.map(([name, value]) => `${hex(name)}=${hex(value)}\n`).join('')),
  async body(request) {
    const body = await wholeBody(request)
    if (body === undefined) reply(request, '', 'Status: 400')
    else reply(request, body)
  },
  async echo(request) {
    request.write(TYPES.STDOUT, 'Content-Type: text/plain\r\n\r\nbegun\n')
    let echoed = 0
    do {
      request.write(TYPES.STDOUT, request.body.slice(echoed))
      echoed = request.body.length
      await request.until(() => request.bodyEnded || request.body.length > echoed)
    } while (!request.ended && !(request.bodyEnded && request.body.length === echoed))
    request.end()
  },
  async slow(request) {
    await setTimeout(numberOf(request))
    reply(request, 'slow')
  },
  status: (request) => reply(request, '', `Status: ${numberOf(request)}`),
  stderr(request) {
    request.write(TYPES.STDOUT, 'Content-Type: text/plain\r\n\r\n')
    for (let i = 0; i < 100; i++) {
      request.write(TYPES.STDERR, `err ${i}\n`)
      request.write(TYPES.STDOUT, `out ${i}\n`)
    }
    request.end()
  },
  exit(request) {
    request.write(TYPES.STDOUT, 'Content-Type: text/plain\r\n\r\nexit')
    request.end(numberOf(request))
  },
  nothing: (request) => reply(request, '', 'Status: 404'),
  hints: (request) => reply(request, 'hints'),
  authorize: (request) => reply(request, '', 'Variable-CONFORMANCE: yes'),
  async data(request) {
    await request.until(() => request.dataEnded)
    reply(request, request.data)
  },
}

/** Sends a whole response, without its body if the method is HEAD. */
export function reply(request: RoutedRequest, body: string, head = 'Content-Type: text/plain'): void {
  request.write(TYPES.STDOUT, `${head}\r\n\r\n${request.param('REQUEST_METHOD') === 'HEAD' ? '' : body}`)
  request.end()
}

/** The number in the second segment of the path. */
export function numberOf(request: RoutedRequest): number {
  return Number(request.param('REQUEST_URI')!.split('/')[2])
}

/** The body up to CONTENT_LENGTH; undefined if it ends earlier. */
async function wholeBody(request: RoutedRequest): Promise<string | undefined> {
  const length = request.param('CONTENT_LENGTH')
  await request.until(() => request.bodyEnded)
  if (length === undefined) return request.body
  return request.body.length < Number(length) ? undefined : request.body.slice(0, Number(length))
}
