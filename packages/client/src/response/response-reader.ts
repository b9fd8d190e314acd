import { errors } from 'undici'
import { type ResponseHead, ResponseHeadParser } from './response-head.ts'

/** Receives the parts of a response from a {@link ResponseReader}. */
export interface ResponseReaderUser {
  onHead(head: ResponseHead): void
  /** A piece of the body: `chunk[start, end)`. */
  onBody(chunk: Buffer, start: number, end: number): void
  /** The request has ended or failed: the rest of the response is ignored. */
  readonly closed: boolean
}

/** Reads STDOUT as a CGI response: a head, and a body whose length must match the head's Content-Length. */
export class ResponseReader {
  readonly #user: ResponseReaderUser
  readonly #isHead: boolean
  readonly #maxHeaderSize: number
  #parser: ResponseHeadParser | undefined
  #head: ResponseHead | undefined
  #bodyDropped = false
  #bodyLeft: number | undefined

  /** `method` is the request's: a response to HEAD has no body. */
  constructor(user: ResponseReaderUser, method: string, maxHeaderSize: number) {
    this.#user = user
    this.#isHead = method === 'HEAD'
    this.#maxHeaderSize = maxHeaderSize
  }

  /** Undefined until the head is complete. */
  get head(): ResponseHead | undefined {
    return this.#head
  }

  /** Reads `chunk[start, end)`. Throws FastCgiError and undici's ResponseContentLengthMismatchError. */
  push(chunk: Buffer, start: number, end: number): void {
    while (this.#head === undefined) {
      this.#parser ??= new ResponseHeadParser(this.#maxHeaderSize)
      start = this.#parser.push(chunk, start, end)
      if (start === -1) return
      const { head } = this.#parser
      this.#parser = undefined
      // CGI has no interim (1xx) responses, but some applications send them. Skip them.
      if (head.status >= 200) this.#onHead(head)
    }
    if (start === end || this.#bodyDropped || this.#user.closed) return
    if (this.#bodyLeft !== undefined) {
      this.#bodyLeft -= end - start
      if (this.#bodyLeft < 0) throw new errors.ResponseContentLengthMismatchError()
    }
    this.#user.onBody(chunk, start, end)
  }

  /** The body is as long as its Content-Length, or has none. */
  get whole(): boolean {
    return this.#bodyLeft === undefined || this.#bodyLeft === 0
  }

  #onHead(head: ResponseHead): void {
    const { status } = head
    this.#head = head
    this.#bodyDropped = this.#isHead || status === 204 || status === 205 || status === 304
    if (!this.#bodyDropped) this.#bodyLeft = head.contentLength
    this.#user.onHead(head)
  }
}
