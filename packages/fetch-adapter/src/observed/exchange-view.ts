import type { Writable } from 'node:stream'
import type { Exchange, Input, Role } from '@fcgi-bridge/core'

type ResponseMember = 'writeHead' | 'write' | 'flush' | 'end' | 'fail' | 'onDrain' | 'onAbort'

/** A view of another exchange, without the members that respond. */
export abstract class ExchangeView implements Omit<Exchange, ResponseMember> {
  protected readonly exchange: Exchange

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  get requestId(): number {
    return this.exchange.requestId
  }

  get role(): Role {
    return this.exchange.role
  }

  get keepConn(): boolean {
    return this.exchange.keepConn
  }

  get params(): Exchange['params'] {
    return this.exchange.params
  }

  get rawParams(): readonly string[] {
    return this.exchange.rawParams
  }

  param(name: string): string | undefined {
    return this.exchange.param(name)
  }

  get method(): string {
    return this.exchange.method
  }

  get target(): string {
    return this.exchange.target
  }

  get url(): string {
    return this.exchange.url
  }

  get scheme(): 'http' | 'https' {
    return this.exchange.scheme
  }

  get authority(): string {
    return this.exchange.authority
  }

  get headers(): readonly string[] {
    return this.exchange.headers
  }

  get mount(): string {
    return this.exchange.mount
  }

  get contentLength(): number | undefined {
    return this.exchange.contentLength
  }

  get remoteAddress(): string | undefined {
    return this.exchange.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.exchange.remotePort
  }

  get request(): Request {
    return this.exchange.request
  }

  get signal(): AbortSignal {
    return this.exchange.signal
  }

  get draining(): AbortSignal {
    return this.exchange.draining
  }

  get stdin(): Input {
    return this.exchange.stdin
  }

  get data(): Input {
    return this.exchange.data
  }

  get appStatus(): number {
    return this.exchange.appStatus
  }

  set appStatus(status: number) {
    this.exchange.appStatus = status
  }

  get headSent(): boolean {
    return this.exchange.headSent
  }

  get writableNeedDrain(): boolean {
    return this.exchange.writableNeedDrain
  }

  get stderr(): Writable {
    return this.exchange.stderr
  }

  get aborted(): boolean {
    return this.exchange.aborted
  }

  get ended(): boolean {
    return this.exchange.ended
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    this.exchange.waitUntil(promise)
  }
}
