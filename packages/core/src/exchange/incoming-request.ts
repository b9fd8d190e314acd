import { checkRequest } from '../cgi/check-request.ts'
import { quote, RequestError } from '../cgi/error.ts'
import { createRequest } from '../cgi/request.ts'
import { createBody } from './body.ts'
import { CgiRequest, type RequestCarrier } from './cgi-request.ts'
import type { ExchangeError } from './error.ts'
import type { Role } from './exchange.ts'
import { type InputOwner, InputQueue } from './input.ts'

/** The request half of an exchange: its params and its inputs, and when they are complete. */
export abstract class IncomingRequest<C extends RequestCarrier> extends CgiRequest<C> implements InputOwner {
  readonly requestId: number
  readonly role: Role
  readonly keepConn: boolean

  /** STDIN has ended, or none will come: an authorizer has none (section 6.3), and some front servers never end its stream. */
  stdinEnded: boolean
  /** PARAMS have ended, or no more of them are wanted: the handler is called, or the request was refused. */
  begun = false
  /** Runs while a request body is expected after the end of its stream. */
  missingBodyTimer: NodeJS.Timeout | undefined
  /** When the exchange began, and when input last arrived, in ticks of the server. */
  beganTick = 0
  inputTick = 0

  /** Why it was aborted; undefined if it was not. */
  abortReason: ExchangeError | undefined

  readonly #stdin: InputQueue
  #data: InputQueue | undefined
  #request: Request | undefined
  #controller: AbortController | undefined

  constructor(carrier: C, requestId: number, role: Role, keepConn: boolean) {
    super(carrier)
    this.requestId = requestId
    this.role = role
    this.keepConn = keepConn
    this.stdinEnded = role === 'authorizer'
    this.#stdin = new InputQueue(this, false)
    if (role === 'filter') this.#data = new InputQueue(this, true)
  }

  /** Responds in place of the app, with nothing but a status. */
  abstract respond(status: number): void
  /** Responds to a request that no app should see, and reports `error`. */
  protected abstract refuse(error: unknown): void
  /** Reports an error of the app, which is this request's failure. */
  abstract fail(error: unknown): void
  /** Calls a hook of the app in this request's async context. What it throws is this request's failure. */
  protected abstract enter(hook: () => void): void

  // ---- for apps ----

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

  /** Bytes that wait in its inputs. */
  get queuedBytes(): number {
    return this.#stdin.queuedBytes + (this.#data?.queuedBytes ?? 0)
  }

  /** Bytes of its inputs that have arrived. */
  get bytesIn(): number {
    return this.#stdin.received + (this.#data?.received ?? 0)
  }

  /** The whole request has arrived. */
  get inputComplete(): boolean {
    return this.begun && (this.stdinEnded || this.#stdin.complete) && (this.#data?.complete ?? true)
  }

  /** Takes a piece of PARAMS. False if they grow beyond the limit: the request is then refused with 431. */
  pushParams(chunk: Buffer, start: number, end: number): boolean {
    const { maxParamsBytes } = this.carrier.settings
    if (this.paramsBytes + end - start > maxParamsBytes) {
      this.#refuse(
        new RequestError(
          431,
          'FCGI_ERR_PARAMS_LENGTH',
          `The params are longer than ${maxParamsBytes} bytes.`,
        ),
      )
      return false
    }
    this.gather(chunk, start, end)
    return true
  }

  /** The chunk that its PARAMS came in is about to be used again. */
  keepParams(): void {
    if (!this.begun) this.keepGathered()
  }

  /** PARAMS have ended: reads and checks them. False if the request was refused; the response has then been sent. */
  begin(): boolean {
    this.begun = true
    try {
      checkRequest(this.http)
      const { maxBodyBytes } = this.carrier.settings
      if (this.role === 'authorizer') {
        this.#stdin.expect(0, 0)
      } else {
        const { contentLength } = this.http
        if (contentLength !== undefined && contentLength > maxBodyBytes) {
          throw new RequestError(
            413,
            'FCGI_ERR_BODY_TOO_LARGE',
            `CONTENT_LENGTH is ${contentLength}; the limit is ${maxBodyBytes} bytes.`,
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
    // A reader that was slow is no sender that was.
    this.inputTick = this.carrier.tick
    this.carrier.onInputConsumed()
  }

  callListener(listener: () => void): void {
    this.enter(listener)
  }

  // ---- for the response ----

  /** Fails what readers still wait for. */
  protected failInputs(reason: ExchangeError): void {
    this.#stdin.fail(reason)
    this.#data?.fail(reason)
  }

  /** The response has ended: input that nobody has asked for is dropped. */
  protected abandonInputs(): void {
    this.#stdin.abandon()
    this.#data?.abandon()
  }

  protected abortSignal(): void {
    this.#controller?.abort(this.abortReason)
  }

  #refuse(error: unknown): void {
    // `onError` gets this exchange, and may read its params.
    this.settleParams()
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
