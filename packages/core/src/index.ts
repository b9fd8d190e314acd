export { RequestError, type RequestErrorCode } from './cgi/error.ts'
export type { MountOption } from './cgi/mount.ts'
export * from './protocol/constants.ts'
export { RecordDecoder, type RecordSink } from './protocol/decoder.ts'
export {
  encodeBeginRequest,
  encodeEndRequest,
  encodeHeader,
  encodeHeaderText,
  encodeRecord,
  encodeUnknownType,
  paddingFor,
  RECORD_CONTENT_MAX,
} from './protocol/encoder.ts'
export { ProtocolError, type ProtocolErrorCode } from './protocol/error.ts'
export { decodeNameValues, encodeNameValues } from './protocol/name-values.ts'
export { createBody } from './server/body.ts'
export { ExchangeError, type ExchangeErrorCode } from './server/error.ts'
export type { Exchange, Handler, Role } from './server/exchange.ts'
export { EXCHANGE_CHANNEL, type ExchangeMessage } from './server/exchange-channel.ts'
export type { Input } from './server/input.ts'
export type { ListenOptions } from './server/listen.ts'
export type { ServerOptions } from './server/options.ts'
export type { WriteCallback } from './server/output.ts'
export { type ServeOptions, serve } from './server/serve.ts'
export { createServer, FastCgiServer, type Handlers, type ServerEvents } from './server/server.ts'
export { SocketReader } from './server/socket-reader.ts'
