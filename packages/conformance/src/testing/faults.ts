import { bytes, pair, ROLES, readPairs, record, STATUSES, TYPES } from '../wire/bytes.ts'
import type { Action, Faults, Request, Session } from './reference-server.ts'
import { numberOf, ROUTES, reply } from './routes.ts'

type ParamsReader = NonNullable<Faults['readParams']>

const isType = (sent: Buffer, type: number): boolean => sent[1] === type
const isEmpty = (sent: Buffer): boolean => sent.readUInt16BE(4) === 0

/** Does not send the records for which `test` returns true. */
const without = (test: (sent: Buffer, session: Session) => boolean): Faults => ({
  onSend: (sent, session) => (test(sent, session) ? Buffer.alloc(0) : sent),
})

/** Changes the records of one type. */
const changed = (type: number, change: (sent: Buffer) => Buffer): Faults => ({
  onSend: (sent) => (isType(sent, type) ? change(sent) : sent),
})

/** Takes the action for received records for which `test` returns true. */
const on = (action: Action, test: (type: number, id: number, session: Session) => boolean): Faults => ({
  onRecord: ({ type, id }, session) => (test(type, id, session) ? action : undefined),
})

const params = (read: ParamsReader): Faults => ({ readParams: read })
const whole = (contents: readonly Buffer[]): [string, string][] => readPairs(Buffer.concat(contents))

/** Decodes pairs, and ignores an incomplete pair at the end. */
function readLeniently(block: Buffer): [string, string][] {
  for (let end = block.length; ; end--) {
    try {
      return readPairs(block.subarray(0, end))
    } catch {
      // Try with one byte less.
    }
  }
}

/** Assumes that each chunk has whole records. */
const CHUNK_BY_CHUNK: Faults = {
  onChunk: (session, chunk) => {
    session.buffer = chunk
  },
}

const perRecord: ParamsReader = (contents) => contents.flatMap(readLeniently)
const route = (name: string, handle: (request: Request) => unknown): Faults => ({
  routes: { [name]: handle },
})
const isActive = (session: Session, id: number): boolean => session.requests.has(id)

async function bodyOf(request: Request): Promise<string> {
  await request.until(() => request.bodyEnded)
  return request.body
}

/** The params of the previous request on a connection. */
const previousParams = new WeakMap<Session, [string, string][]>()

const stray = record(TYPES.GET_VALUES_RESULT, 0, pair('FCGI_MPXS_CONNS', '1'))

/** For each check, a fault that makes the reference server fail it. */
export const FAULTS: Readonly<Record<string, Faults>> = {
  'records/byte-by-byte': CHUNK_BY_CHUNK,
  'records/cut-anywhere': CHUNK_BY_CHUNK,
  'records/longest': { onRecord: ({ content }) => (content.length > 65_000 ? 'close' : undefined) },
  'records/padding': {
    onHeader(header) {
      if (header.length === 8 && !isEmpty(header)) header[6] = 0
      return undefined
    },
  },
  'records/padding-of-nothing': {
    onHeader(header) {
      if (header.length === 8 && isEmpty(header)) header[6] = 0
      return undefined
    },
  },
  'records/reserved-ignored': { onRecord: ({ reserved }) => (reserved === 0 ? undefined : 'close') },
  'records/version': {
    onHeader(header) {
      header[0] = 1
      return undefined
    },
  },
  'records/empty-flood': { onRecord: ({ id }) => (id === 7 ? 'close' : undefined) },
  'records/long-output': changed(TYPES.STDOUT, (sent) =>
    sent.length > 65_000 ? sent.fill('x', 8, 12) : sent,
  ),
  'records/output-headers': changed(TYPES.END_REQUEST, (sent) => bytes(stray, sent)),
  'records/output-aligned': {
    onSend: (sent) => record(sent[1]!, 1, sent.subarray(8, 8 + sent.readUInt16BE(4))),
  },
  'records/end-inside': { onHalfClose: () => true },
  'records/stream-pieces': { onRecord: ({ content }) => (content.length === 3 ? 'skip' : undefined) },

  'ids/inactive-ignored': on('close', (type, id, session) => type !== 1 && id > 0 && !isActive(session, id)),
  'ids/any': {
    onSend(sent) {
      sent[2] = 0
      return sent
    },
  },
  'ids/zero': {
    onHeader(header) {
      if (header.length === 8 && header[3] === 0) header[3] = 9
      return undefined
    },
    onSend(sent) {
      if (sent[3] === 9) sent[3] = 0
      return sent
    },
  },
  'ids/active-begin': {
    onRecord({ type, id }, session) {
      if (type === TYPES.BEGIN_REQUEST) session.requests.delete(id)
      return undefined
    },
  },
  'ids/reuse': params((contents, session) => {
    const previous = previousParams.get(session) ?? []
    previousParams.set(session, whole(contents))
    return [...whole(contents), ...previous]
  }),

  'pairs/length-forms': params((contents) =>
    whole(contents).map(([name, value]) => (name === 'CONFORMANCE_41' ? [name, ''] : [name, value])),
  ),
  'pairs/sizes': params((contents) => whole(contents).map(([name, value]) => [name, value.slice(0, 65_535)])),
  'pairs/many': params((contents) => whole(contents).slice(0, 100)),
  'pairs/empty': params((contents) => {
    const list = whole(contents)
    const empty = list.findIndex(([name]) => name === '')
    return empty < 0 ? list : list.slice(0, empty)
  }),
  'pairs/cut-anywhere': params(perRecord),
  'pairs/byte-by-byte': params(perRecord),
  'pairs/bytes-kept': params((contents) =>
    whole(contents).map(([name, value]) => [name, Buffer.from(value, 'latin1').toString()]),
  ),
  'pairs/names-are-data': params((contents) => {
    const plain: Record<string, string> = {}
    for (const [name, value] of whole(contents)) plain[name] = value
    return Object.entries(plain)
  }),
  'pairs/nul': params((contents) => whole(contents).map(([name, value]) => [name, value.split('\0')[0]!])),
  'pairs/too-long': params((contents) => readLeniently(Buffer.concat(contents))),
  'pairs/cut-short': params((contents) => readLeniently(Buffer.concat(contents))),

  'management/values': { values: (names) => names.map((name) => [name, 'yes']) },
  'management/subset': {
    values: () => [
      ['FCGI_MPXS_CONNS', '1'],
      ['FCGI_MAX_REQS', '1'],
    ],
  },
  'management/unknown-names': { values: (names) => names.map((name) => [name, '1']) },
  'management/nothing-asked': { values: () => [['FCGI_MPXS_CONNS', '1']] },
  'management/repeated-name': { values: (names) => names.map(() => ['FCGI_MPXS_CONNS', '11']) },
  'management/then-request': changed(TYPES.GET_VALUES_RESULT, (sent) => bytes(sent, [2])),
  'management/inside-request': on('skip', (type, _, { requests }) => type === 9 && requests.size > 0),
  'management/half-closed': {
    onRecord(one, session) {
      if (one.type !== TYPES.GET_VALUES) return undefined
      session.socket.once('end', () => session.read(one))
      return 'skip'
    },
  },
  'management/unknown-type': without((sent) => isType(sent, TYPES.UNKNOWN_TYPE)),
  'management/unknown-type-skipped': {
    onHeader(header) {
      if (header[1] === 99) header.fill(0, 4)
      return undefined
    },
  },
  'management/request-types': on('close', (type, id) => id === 0 && type === TYPES.STDIN),
  'management/types-inside-request': on('close', (type, id) => id > 0 && type > TYPES.UNKNOWN_TYPE),

  'begin/unknown-role': changed(TYPES.END_REQUEST, (sent) => sent.fill(0, 12, 13)),
  'begin/unknown-role-answer': without((sent) => isType(sent, TYPES.STDOUT) && sent.includes('Status: 500')),
  'begin/unknown-role-kept': {
    onSend(sent, { socket }) {
      if (sent[12] !== STATUSES.UNKNOWN_ROLE || !isType(sent, TYPES.END_REQUEST)) return sent
      socket.end(sent)
      return Buffer.alloc(0)
    },
  },
  'begin/wrong-length': {
    onRecord(one) {
      if (one.type === TYPES.BEGIN_REQUEST) one.content = bytes([0, ROLES.RESPONDER, 0, 0, 0, 0, 0, 0])
      return undefined
    },
  },
  'end/one': changed(TYPES.END_REQUEST, (sent) => bytes(sent, sent)),
  'end/fields': changed(TYPES.END_REQUEST, (sent) => sent.fill(1, 11, 12)),
  'end/reserved': changed(TYPES.END_REQUEST, (sent) => sent.fill(7, 13, 16)),
  'end/app-status': changed(TYPES.END_REQUEST, (sent) => {
    sent.subarray(8, 12).reverse()
    return sent
  }),

  'streams/stdout-end': without((sent) => isType(sent, TYPES.STDOUT) && isEmpty(sent)),
  'streams/stdout-end-of-nothing': without((sent) => isType(sent, TYPES.STDOUT) && isEmpty(sent)),
  'streams/no-errors': changed(TYPES.END_REQUEST, (sent) => bytes(record(TYPES.STDERR, 1, 'x'), sent)),
  'streams/stderr': without((sent) => isType(sent, TYPES.STDERR) && sent.includes('err 50\n')),
  'streams/behind-the-end': {
    onRecord: ({ type, id, content }, { requests }) =>
      type === TYPES.PARAMS && content.length > 0 && requests.get(id)?.paramsEnded ? 'close' : undefined,
  },
  'streams/stdin-before-params': {
    ...on('skip', (type, id, { requests }) => type === TYPES.STDIN && !requests.get(id)?.paramsEnded),
    ...route('body', async (request) => reply(request, await bodyOf(request))),
  },
  'streams/slow-reader': without((_, { socket }) => socket.writableLength > 1_000_000),

  'closing/closes': { keepsConnection: () => true },
  'closing/keeps': { keepsConnection: () => false },
  'closing/changes-its-mind': { keepsConnection: ({ id }) => id === 2 },
  'closing/half-closed': {
    onHalfClose({ socket }) {
      socket.destroy()
      return true
    },
  },
  'closing/unread-body': on('close', (type, id, session) => type === TYPES.STDIN && !isActive(session, id)),
  'closing/unread-body-kept': on(
    'close',
    (type, id, session) => type === TYPES.STDIN && !isActive(session, id),
  ),
  'closing/gone': {
    onRecord({ type }, { socket, server }) {
      if (type === TYPES.BEGIN_REQUEST) socket.on('error', () => server.crash())
      return undefined
    },
  },

  'abort/in-params': on(
    'skip',
    (type, id, { requests }) => type === TYPES.ABORT_REQUEST && requests.get(id)?.paramsEnded === false,
  ),
  'abort/at-once': on(
    'skip',
    (type, id, { requests }) => type === TYPES.ABORT_REQUEST && requests.get(id)?.paramsContents.length === 0,
  ),
  'abort/in-stdin': on('skip', (type) => type === TYPES.ABORT_REQUEST),
  'abort/at-work': on('skip', (type) => type === TYPES.ABORT_REQUEST),
  'abort/in-answer': on('skip', (type) => type === TYPES.ABORT_REQUEST),
  'abort/kept': {
    onRecord({ type }, session) {
      if (type === TYPES.ABORT_REQUEST) session.closing = true
      return undefined
    },
  },
  'abort/tolerated': {
    onRecord: ({ type, content }) => (type === 2 && content.length > 0 ? 'close' : undefined),
  },

  'multiplexing/refused': { values: () => [['FCGI_MPXS_CONNS', '0']] },
  'multiplexing/interleaved': {
    onRecord(one, { requests }) {
      // Give all STDIN to the first request of the connection.
      if (one.type === TYPES.STDIN && one.content.length > 0) one.id = [...requests.keys()][0]!
      return undefined
    },
  },
  'multiplexing/out-of-order': {
    onRecord(one, session) {
      if (one.id !== 2) return undefined
      const first = session.requests.get(1)
      if (!first) return undefined
      void first.until(() => first.bodyEnded).then(() => session.read(one))
      return 'skip'
    },
  },
  'multiplexing/many': on('close', (_, id) => id > 1000),
  'multiplexing/unread-body': {
    onRecord(one, session) {
      if (one.id !== 2) return undefined
      setTimeout(() => session.read(one), 3500)
      return 'skip'
    },
  },
  'multiplexing/abort-one': {
    onRecord({ type }, session) {
      if (type === TYPES.ABORT_REQUEST) for (const request of session.requests.values()) request.end()
      return undefined
    },
  },
  'multiplexing/last-without-keep-conn': {
    onSend(sent, { socket }) {
      if (!isType(sent, TYPES.END_REQUEST)) return sent
      socket.end(sent)
      return Buffer.alloc(0)
    },
  },

  'responder/head': route('status', (request) => reply(request, '', `HTTP/1.1 ${numberOf(request)} None`)),
  'responder/hop-by-hop': route('echo', async (request) => {
    reply(request, `begun\n${await bodyOf(request)}`, 'Transfer-Encoding: identity')
  }),
  'responder/interim': route('hints', (request) => {
    request.write(TYPES.STDOUT, 'HTTP/1.1 103 Early Hints\r\n\r\n')
    reply(request, 'hints')
  }),
  'responder/head-method': params((contents) =>
    whole(contents).map(([name, value]) => [name, value === 'HEAD' ? 'GET' : value]),
  ),
  'responder/binary-body': route('body', async (request) =>
    reply(request, (await bodyOf(request)).replaceAll('\0', '')),
  ),
  'responder/both-ways': route('echo', async (request) => reply(request, `begun\n${await bodyOf(request)}`)),
  'responder/body-too-long': route('body', async (request) => reply(request, await bodyOf(request))),
  'responder/body-too-short': route('body', async (request) => reply(request, await bodyOf(request))),
  'responder/no-length': route('body', (request) => reply(request, '')),

  'authorizer/allows': route('authorize', (request) => reply(request, '')),
  'authorizer/denies': route('status', (request) => reply(request, '')),
  'filter/data': route('data', async (request) => reply(request, await bodyOf(request))),
  'filter/unread': route('bytes', (request) => {
    if (request.param('FCGI_DATA_LENGTH') === undefined) ROUTES.bytes!(request)
    else request.session.socket.destroy()
  }),

  'hostile/other-protocols': {
    onHeader: (header) => (header[0] === 1 ? undefined : 'skip'),
    onChunk(session) {
      if (session.buffer[0] !== 1) session.buffer = Buffer.alloc(0)
    },
  },
  'hostile/unknown-types': on('crash', (type) => type === 76),
  'hostile/cut-requests': {
    onRecord: ({ type }, { socket, server }) => {
      if (type === TYPES.PARAMS) socket.on('end', () => server.crash())
      return undefined
    },
  },
  'hostile/flipped-bytes': params((contents, { server }) => {
    try {
      return whole(contents)
    } catch {
      server.crash()
      return []
    }
  }),
}
