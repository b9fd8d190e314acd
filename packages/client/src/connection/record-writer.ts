import {
  encodeHeader,
  encodeRecord,
  FCGI_ABORT_REQUEST,
  FCGI_STDIN,
  paddingFor,
  RECORD_CONTENT_MAX,
} from '@fcgi-bridge/core'
import type { RecordTap } from '../observer.ts'
import { COPY_MAX, encodeRequest } from '../request/encode.ts'
import type { ApplicationSocket } from './socket.ts'

const PADDING = Buffer.alloc(8)

/** Writes the records of requests to a socket. */
export class RecordWriter {
  readonly #socket: ApplicationSocket
  readonly #keepConn: boolean
  readonly #tap: RecordTap | undefined

  constructor(socket: ApplicationSocket, keepConn: boolean, tap: RecordTap | undefined) {
    this.#socket = socket
    this.#keepConn = keepConn
    this.#tap = tap
  }

  /** Sends BEGIN_REQUEST and PARAMS; with `stdin`, all of STDIN as well. */
  request(requestId: number, params: readonly string[], stdin: Uint8Array | undefined): void {
    this.#write(encodeRequest(requestId, this.#keepConn, params, stdin))
  }

  /** Sends any number of bytes as STDIN records. False: wait for the socket's onDrain. */
  stdin(requestId: number, chunk: Uint8Array): boolean {
    if (chunk.length <= COPY_MAX) return this.#write(encodeRecord(FCGI_STDIN, requestId, chunk))
    this.#socket.cork()
    let writable = true
    for (let at = 0; at < chunk.length; at += RECORD_CONTENT_MAX) {
      const content = chunk.subarray(at, at + RECORD_CONTENT_MAX)
      const padding = paddingFor(content.length)
      this.#write(encodeHeader(FCGI_STDIN, requestId, content.length, padding))
      writable = this.#write(content)
      if (padding > 0) writable = this.#write(PADDING.subarray(0, padding))
    }
    this.#socket.uncork()
    return writable
  }

  endStdin(requestId: number): void {
    this.#write(encodeHeader(FCGI_STDIN, requestId, 0, 0))
  }

  abort(requestId: number): void {
    this.#write(encodeHeader(FCGI_ABORT_REQUEST, requestId, 0, 0))
  }

  #write(bytes: Uint8Array | string): boolean {
    this.#tap?.push(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this.#socket.write(bytes)
  }
}
