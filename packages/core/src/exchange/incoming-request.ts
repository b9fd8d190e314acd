import { checkRequest } from '../cgi/check-request.ts'
import { quote, RequestError } from '../cgi/error.ts'
import { createRequest } from '../cgi/request.ts'
import { createBody } from './body.ts'
import { CgiRequest, type RequestConnection } from './cgi-request.ts'
import type { ExchangeError } from './error.ts'
import type { Role } from './exchange.ts'
import { type InputOwner, InputQueue } from './input.ts'

/** The request half of an exchange: its params, its inputs, and whether they are complete. */
export abstract class IncomingRequest<C extends RequestConnection>
  extends CgiRequest<C>
  implements InputOwner
{
  readonly requestId: number
  readonly role: Role
  readonly keepConn: boolean

  /**
   * STDIN has ended. For an authorizer it is true from the start, because an authorizer has no STDIN (section 6.3), and some front
   * servers never send its end.
   */
  stdinEnded: boolean
  /** PARAMS have ended, or the rest is ignored because the server has responded instead of the app. */
  paramsEnded = false
  /** Runs while a request body may still arrive after the end of STDIN. */
  missingBodyTimer: NodeJS.Timeout | undefined
  /** When the request began, by the server's clock (seconds). */
  beganTick = 0
  /** When input last arrived, by the server's clock (seconds). */
  inputTick = 0

  /** Why the exchange was aborted; undefined if it was not. */
  abortReason: ExchangeError | undefined

  readonly #stdin: InputQueue
  #data: InputQueue | undefined
  #request: Request | undefined
  #controller: AbortController | undefined

  constructor(connection: C, requestId: number, role: Role, keepConn: boolean) {
    super(connection)
    this.requestId = requestId
    this.role = role
    this.keepConn = keepConn
    this.stdinEnded = role === 'authorizer'
    this.#stdin = new InputQueue(this, false)
    if (role === 'filter') this.#data = new InputQueue(this, true)
  }

  /** Responds with `status` instead of the app. */
  abstract respond(status: number): void
  /** Responds to an invalid request instead of the app, and reports `error`. */
  protected abstract refuse(error: unknown): void
  /** Fails the exchange with an error of the app; see {@link Exchange.fail}. */
  abstract fail(error: unknown): void
  /** Calls a hook of the app in this request's async context. If the hook throws, the exchange fails. */
  protected abstract enter(hook: () => void): void

  // ---- for apps; see Exchange ----

  get request(): Request {
    this.#request ??= createRequest(this.http, () => createBody(this.#stdin), this.signal)
    return this.#request as Request
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason)
    }
    return this.#controller.signal
  }

  get stdin(): InputQueue {
    return this.#stdin
  }

  get data(): InputQueue {
    if (this.#data === undefined) {
      this.#data = new InputQueue(this, true)
      this.#data.expect(0, 0)
    }
    return this.#data
  }

  get aborted(): boolean {
    return this.abortReason !== undefined
  }

  // ---- for the connection ----

  /** The memory that unread input takes, in bytes. */
  get queuedBytes(): number {
    return this.#stdin.queuedBytes + (this.#data?.queuedBytes ?? 0)
  }

  /** Bytes of input that have been received. */
  get bytesIn(): number {
    return this.#stdin.received + (this.#data?.received ?? 0)
  }

  /** The whole request has been received. */
  get inputComplete(): boolean {
    return this.paramsEnded && (this.stdinEnded || this.#stdin.complete) && (this.#data?.complete ?? true)
  }

  /**
   * The peer has sent the whole request, and sends nothing more for it. False for an authorizer or a filter, because some front servers end
   * their input late or never.
   */
  get receivedAll(): boolean {
    return this.role === 'responder' && this.#stdin.receivedAll
  }

  /** Adds a piece of PARAMS. Returns false if they exceed the limit. The request is then refused with 431. */
  pushParams(chunk: Buffer, start: number, end: number): boolean {
    const { maxParamsBytes } = this.connection.settings
    if (this.paramsBytes + end - start > maxParamsBytes) {
      this.#refuse(
        new RequestError(
          431,
          'FCGI_ERR_PARAMS_LENGTH',
          `The params exceed ${maxParamsBytes} bytes (maxParamsBytes).`,
        ),
      )
      return false
    }
    this.gather(chunk, start, end)
    return true
  }

  /** Copies incomplete PARAMS out of their chunk, whose memory is about to be reused. */
  keepParams(): void {
    if (!this.paramsEnded) this.keepGathered()
  }

  /** Reads and checks PARAMS, which have ended. Returns false if the request was refused. The response has then been sent. */
  begin(): boolean {
    this.paramsEnded = true
    try {
      checkRequest(this.http)
      const { maxBodyBytes } = this.connection.settings
      if (this.role === 'authorizer') {
        this.#stdin.expect(0, 0)
      } else {
        const { contentLength } = this.http
        if (contentLength !== undefined && contentLength > maxBodyBytes) {
          throw new RequestError(
            413,
            'FCGI_ERR_BODY_TOO_LARGE',
            `CONTENT_LENGTH is ${contentLength}, which exceeds ${maxBodyBytes} bytes (maxBodyBytes).`,
          )
        }
        this.#stdin.expect(contentLength, maxBodyBytes)
      }
      this.#data?.expect(this.#dataLength(), Number.POSITIVE_INFINITY)
      return true
    } catch (error) {
      this.#refuse(error)
      return false
    }
  }

  onInputConsumed(): void {
    // The input time-out measures the front server. Do not count the time during which the app did not read.
    this.inputTick = this.connection.tick
    this.connection.onInputConsumed()
  }

  callListener(listener: () => void): void {
    this.enter(listener)
  }

  // ---- for the response ----

  /** Fails incomplete inputs with `reason`. */
  protected failInputs(reason: ExchangeError): void {
    this.#stdin.fail(reason)
    this.#data?.fail(reason)
  }

  /** Drops the rest of incomplete inputs, because the response has ended. */
  protected abandonInputs(): void {
    this.#stdin.abandon()
    this.#data?.abandon()
  }

  /** Aborts `signal` with the reason of the abort. */
  protected abortSignal(): void {
    this.#controller?.abort(this.abortReason)
  }

  #refuse(error: unknown): void {
    // `onError` receives this exchange and may read its params.
    this.ignoreIncompleteParams()
    this.refuse(error)
  }

  #dataLength(): number | undefined {
    const text = this.cgi.get('FCGI_DATA_LENGTH')
    if (!text) return undefined
    const length = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(length)) return length
    throw new RequestError(
      400,
      'FCGI_ERR_BODY_LENGTH',
      `FCGI_DATA_LENGTH is not a decimal number: ${quote(text)}.`,
    )
  }
}
