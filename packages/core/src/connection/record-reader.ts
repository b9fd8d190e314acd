import type { Duplex } from 'node:stream'
import { RecordDecoder } from '../protocol/decoder.ts'
import { ProtocolError } from '../protocol/error.ts'
import type { Linger } from './linger.ts'
import type { ReadControl } from './read-control.ts'
import type { RecordDispatcher } from './record-dispatcher.ts'
import { SocketReader } from './socket-reader.ts'

/** What a {@link RecordReader} needs from its connection. */
export interface ReadingConnection {
  /** The peer violated the protocol. No further record is read. */
  onProtocolError(error: ProtocolError): void
}

/** Reads chunks from a connection's socket, and passes their records to the dispatcher. */
export class RecordReader {
  readonly #dispatcher: RecordDispatcher
  readonly #readControl: ReadControl
  readonly #connection: ReadingConnection
  readonly #decoder: RecordDecoder
  readonly #socketReader: SocketReader
  // Counts the input, which is dropped, once the connection has been shut.
  #linger: Linger | undefined

  constructor(
    socket: Duplex,
    dispatcher: RecordDispatcher,
    readControl: ReadControl,
    connection: ReadingConnection,
  ) {
    this.#dispatcher = dispatcher
    this.#readControl = readControl
    this.#connection = connection
    this.#decoder = new RecordDecoder(dispatcher)
    this.#socketReader = new SocketReader(socket, (chunk, length) => this.#onChunk(chunk, length))
  }

  /** False if a part of a record has arrived and the rest has not. True after {@link stop}. */
  get atBoundary(): boolean {
    return this.#decoder.atBoundary
  }

  /** Puts back the rest of the current chunk, until reading from the socket resumes. */
  pause(): void {
    this.#decoder.pause()
  }

  /** Ignores all further records, including those in the rest of the current chunk. */
  stop(): void {
    this.#decoder.stop()
  }

  /** Drops all further input. Reports its length to `linger`, which limits it. */
  drop(linger: Linger): void {
    this.#decoder.stop()
    this.#linger = linger
  }

  #onChunk(chunk: Buffer, length: number): void {
    if (this.#linger !== undefined) {
      this.#linger.onDropped(length)
      return
    }
    let read = length
    try {
      read = this.#decoder.push(chunk, length)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#decoder.stop()
      this.#connection.onProtocolError(error)
    } finally {
      // Run even if an application listener threw: the chunk's buffer is about to be reused.
      this.#dispatcher.finishChunk()
      if (read < length) this.#socketReader.putBack(chunk, read, length)
      this.#readControl.adjust()
    }
  }
}
