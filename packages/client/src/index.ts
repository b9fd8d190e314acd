export { type FastCgiAddress, formatAddress, parseAddress, type SocketAddress } from './address.ts'
export { type FastCgiValues, type GetValuesOptions, getValues } from './connection/values.ts'
export { FastCgiDispatcher, type FastCgiDispatcherOptions } from './dispatcher.ts'
export { FastCgiError, type FastCgiErrorCode } from './error.ts'
export { createGateway, type GatewayOptions } from './gateway/gateway.ts'
export type {
  ExchangeBegin,
  ExchangeEnd,
  ExchangeHead,
  ExchangeObserver,
  ExchangeRecord,
  ExchangeStderr,
} from './observer.ts'
export type { FastCgiParams, FastCgiRequestInfo, ParamsOptions } from './request/params.ts'
export type { FastCgiDispatchOptions } from './request/request.ts'
