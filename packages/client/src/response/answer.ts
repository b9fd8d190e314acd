import { errors } from 'undici'
import { type ResponseHead, ResponseHeadParser } from './response-head.ts'

/** Who is told what an {@link AnswerReader} finds. */
export interface AnswerUser {
  onHead(head: ResponseHead): void
  /** A piece of the body: `chunk[start, end)`. */
  onBody(chunk: Buffer, start: number, end: number): void
  /** Whether it has no use for more. */
  readonly closed: boolean
}

/** Reads STDOUT as a CGI response: a head and a body, which has to be as long as the head says. */
export class AnswerReader {
  readonly #user: AnswerUser
  readonly #isHead: boolean
  readonly #maxHeaderSize: number
  #parser: ResponseHeadParser | undefined
  #head: ResponseHead | undefined
  #bodyDropped = false
  #bodyLeft: number | undefined

  /** `method` is the request's: an answer to HEAD has no body. */
  constructor(user: AnswerUser, method: string, maxHeaderSize: number) {
    this.#user = user
    this.#isHead = method === 'HEAD'
    this.#maxHeaderSize = maxHeaderSize
  }

  /** Undefined until it is whole. */
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
      // CGI knows no interim responses; what some applications send as such is passed over.
      if (head.status >= 200) this.#onHead(head)
    }
    if (start === end || this.#bodyDropped || this.#user.closed) return
    if (this.#bodyLeft !== undefined) {
      this.#bodyLeft -= end - start
      if (this.#bodyLeft < 0) throw new errors.ResponseContentLengthMismatchError()
    }
    this.#user.onBody(chunk, start, end)
  }

  /** Whether the body is as long as the head said. */
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
