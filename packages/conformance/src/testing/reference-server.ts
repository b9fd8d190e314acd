import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, pairs, ROLES, readPairs, record, STATUSES, stream, TYPES } from '../wire/bytes.ts'
import type { WireRecord } from '../wire/record-reader.ts'
import { ROUTES } from './routes.ts'

/** What the server does after a hook. `undefined`: what the specification requires. */
export type Action = 'skip' | 'close' | 'crash' | undefined

/** Hooks that add faults to the server. Each is called before the server does what the specification requires. */
export interface Faults {
  /** A chunk has arrived. It is already at the end of `session.buffer`. */
  onChunk?(session: Session, chunk: Buffer): void
  /** A record header is about to be decoded: 8 bytes, or fewer if the rest has not arrived. The hook may change it. */
  onHeader?(header: Buffer): Action
  onRecord?(record: WireRecord, session: Session): Action
  /** A record is about to be sent. Returns the bytes to send instead. */
  onSend?(record: Buffer, session: Session): Buffer
  /** Decodes the contents of PARAMS records. Throws if they are invalid. */
  readParams?(contents: readonly Buffer[], session: Session): [name: string, value: string][]
  /** Returns the values for GET_VALUES. */
  values?(names: readonly string[]): [name: string, value: string][]
  /** Routes that replace the correct ones. */
  routes?: Readonly<Record<string, (request: Request) => unknown>>
  /** Whether the connection stays open after a request. */
  keepsConnection?(request: Request): boolean
  /** The peer has half-closed the connection. Returns true if the hook has handled it. */
  onHalfClose?(session: Session): boolean
}

const VALUES: Readonly<Record<string, string>> = {
  FCGI_MAX_CONNS: '10',
  FCGI_MAX_REQS: '50',
  FCGI_MPXS_CONNS: '1',
}

/** One request while it is active. */
export class Request {
  readonly session: Session
  readonly id: number
  readonly keepConn: boolean
  readonly paramsContents: Buffer[] = []
  params: [name: string, value: string][] = []
  paramsEnded = false
  body = ''
  bodyEnded = false
  data = ''
  dataEnded = false
  onInput: () => void = () => {}

  constructor(session: Session, id: number, flags: number) {
    this.session = session
    this.id = id
    this.keepConn = (flags & 1) === 1
  }

  param(name: string): string | undefined {
    return this.params.find(([other]) => other === name)?.[1]
  }

  get ended(): boolean {
    return this.session.requests.get(this.id) !== this
  }

  /** Resolves when `done` returns true, or the request has ended. */
  async until(done: () => boolean): Promise<void> {
    while (!done() && !this.ended) {
      await new Promise<void>((resolve) => {
        this.onInput = resolve
      })
    }
  }

  write(type: number, content: string): void {
    if (!this.ended && content !== '') this.session.send(stream(type, this.id, content, 65_528))
  }

  /** Ends the response. */
  end(appStatus = 0, protocolStatus: number = STATUSES.REQUEST_COMPLETE): void {
    if (this.ended) return
    const { session, id } = this
    session.send(record(TYPES.STDOUT, id))
    const status = [appStatus >>> 24, (appStatus >> 16) & 255, (appStatus >> 8) & 255, appStatus & 255]
    session.send(record(TYPES.END_REQUEST, id, [...status, protocolStatus, 0, 0, 0]))
    session.requests.delete(id)
    this.onInput()
    if (!(session.faults.keepsConnection?.(this) ?? this.keepConn)) session.closing = true
    session.closeIfDone()
  }
}

/** One connection. */
export class Session {
  readonly server: ReferenceServer
  readonly socket: Socket
  readonly requests: Map<number, Request> = new Map()
  buffer: Buffer = Buffer.alloc(0)
  closing = false

  constructor(server: ReferenceServer, socket: Socket) {
    this.server = server
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => this.#abortAll())
    socket.on('data', (chunk: Buffer) => {
      this.buffer = bytes(this.buffer, chunk)
      this.faults.onChunk?.(this, chunk)
      this.#readRecords()
    })
    socket.on('end', () => {
      if (this.faults.onHalfClose?.(this)) return
      for (const request of this.requests.values()) if (!request.bodyEnded) this.requests.delete(request.id)
      this.closing = true
      this.closeIfDone()
    })
  }

  get faults(): Faults {
    return this.server.faults
  }

  /** Sends records, each padded to a multiple of 8 bytes. */
  send(all: Buffer): void {
    for (let at = 0; at < all.length; ) {
      const end = at + 8 + all.readUInt16BE(at + 4)
      const padding = new Uint8Array(-(end - at) & 7)
      const padded = record(all[at + 1]!, all.readUInt16BE(at + 2), all.subarray(at + 8, end), { padding })
      if (this.socket.writable) this.socket.write(this.faults.onSend?.(padded, this) ?? padded)
      at = end
    }
  }

  /** Ends the connection after the written data, if no request is active. Later input is read and dropped. */
  closeIfDone(): void {
    if (this.closing && this.requests.size === 0) this.socket.end()
  }

  #abortAll(): void {
    const all = [...this.requests.values()]
    this.requests.clear()
    for (const request of all) request.onInput()
  }

  #readRecords(): void {
    while (this.buffer.length > 0 && !this.socket.destroyed) {
      const header = bytes(this.buffer.subarray(0, 8))
      if (this.#stops(this.faults.onHeader?.(header))) return
      if (header[0] !== 1) {
        this.socket.destroy()
        return
      }
      if (header.length < 8) return
      const end = 8 + header.readUInt16BE(4)
      const size = end + header[6]!
      if (this.buffer.length < size) return
      const one: WireRecord = {
        type: header[1]!,
        id: header.readUInt16BE(2),
        content: this.buffer.subarray(8, end),
        padding: this.buffer.subarray(end, size),
        reserved: header[7]!,
      }
      this.buffer = this.buffer.subarray(size)
      const action = this.faults.onRecord?.(one, this)
      if (this.#stops(action)) return
      if (action === undefined) this.read(one)
    }
  }

  /** Takes an action. Returns true if the connection was closed. */
  #stops(action: Action): boolean {
    if (action === 'crash') this.server.crash()
    if (action === 'close') this.socket.destroy()
    return action === 'crash' || action === 'close'
  }

  /** Handles a record as the specification requires. */
  read({ type, id, content }: WireRecord): void {
    if (id === 0) this.#readManagement(type, content)
    else if (type === TYPES.BEGIN_REQUEST) this.#begin(id, content)
    else {
      const request = this.requests.get(id)
      if (request) this.#readInput(request, type, content)
    }
  }

  #readManagement(type: number, content: Buffer): void {
    if (type === TYPES.GET_VALUES) {
      const names = namesIn(content)
      const known = [...new Set(names)].filter((name) => Object.hasOwn(VALUES, name))
      const values = known.map((name): [string, string] => [name, VALUES[name]!])
      this.send(record(TYPES.GET_VALUES_RESULT, 0, pairs(this.faults.values?.(names) ?? values)))
    } else if (type === TYPES.BEGIN_REQUEST) {
      this.socket.destroy()
    } else if (type === 0 || type > TYPES.UNKNOWN_TYPE) {
      this.send(record(TYPES.UNKNOWN_TYPE, 0, [type, 0, 0, 0, 0, 0, 0, 0]))
    }
  }

  #begin(id: number, content: Buffer): void {
    if (content.length !== 8 || this.requests.has(id)) {
      this.socket.destroy()
      return
    }
    const request = new Request(this, id, content[2]!)
    this.requests.set(id, request)
    const role = content.readUInt16BE(0)
    if (role >= ROLES.RESPONDER && role <= ROLES.FILTER) return
    request.write(TYPES.STDOUT, 'Status: 500\r\n\r\n')
    request.end(0, STATUSES.UNKNOWN_ROLE)
  }

  #readInput(request: Request, type: number, content: Buffer): void {
    const isEnd = content.length === 0
    if (type === TYPES.ABORT_REQUEST) request.end()
    if (type === TYPES.PARAMS && !request.paramsEnded) {
      if (isEnd) this.#start(request)
      else request.paramsContents.push(content)
    }
    if (type === TYPES.STDIN && !request.bodyEnded) {
      request.body += content.toString('latin1')
      request.bodyEnded = isEnd
    }
    if (type === TYPES.DATA && !request.dataEnded) {
      request.data += content.toString('latin1')
      request.dataEnded = isEnd
    }
    request.onInput()
  }

  #start(request: Request): void {
    const { readParams, routes } = this.faults
    const contents = request.paramsContents
    request.paramsEnded = true
    try {
      request.params = readParams?.(contents, this) ?? readPairs(Buffer.concat(contents))
    } catch {
      request.write(TYPES.STDOUT, 'Status: 400\r\n\r\n')
      request.end()
      return
    }
    const [, route = ''] = (request.param('REQUEST_URI') ?? '').split('/')
    const handle = routes?.[route] ?? ROUTES[route] ?? ROUTES.nothing!
    handle(request)
  }
}

function namesIn(content: Buffer): string[] {
  try {
    return readPairs(content).map(([name]) => name)
  } catch {
    return []
  }
}

/** A FastCGI server that meets every requirement, except for its faults. It listens on a Unix socket in a temporary folder. */
export class ReferenceServer {
  readonly faults: Faults
  readonly path: string
  readonly #folder: string
  readonly #sessions = new Set<Session>()
  #server: Server | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(faults: Faults) {
    this.faults = faults
    this.#folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
    this.path = join(this.#folder, 's')
  }

  async listen(): Promise<this> {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const session = new Session(this, socket)
      this.#sessions.add(session)
      socket.on('close', () => this.#sessions.delete(session))
    })
    await once(this.#server.listen(this.path), 'listening')
    return this
  }

  /** Closes all connections and stops listening. Listens again after the next connection attempt has failed. */
  crash(): void {
    if (!this.#server?.listening) return
    this.#stop()
    this.#timer = setTimeout(() => void this.listen(), 1500)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#stop()
    rmSync(this.#folder, { recursive: true })
  }

  #stop(): void {
    this.#server?.close()
    for (const { socket } of this.#sessions) socket.destroy()
  }
}
