export { RequestError, type RequestErrorCode } from './cgi/error.ts'
export type { MountOption } from './cgi/mount.ts'
export { usesSendfile } from './cgi/sendfile.ts'
export { SocketReader } from './connection/socket-reader.ts'
export { createBody } from './exchange/body.ts'
export { ExchangeError, type ExchangeErrorCode } from './exchange/error.ts'
export type { Exchange, Handler, Role, WriteCallback } from './exchange/exchange.ts'
export { EXCHANGE_CHANNEL, type ExchangeMessage } from './exchange/exchange-channel.ts'
export type { Input } from './exchange/input.ts'
export { reserveStandardOutput } from './listen/cgi-output.ts'
export { findInherited, type Inherited } from './listen/inherited.ts'
export { withListenAdvice } from './listen/listen-error.ts'
export type {
  FdListenOptions,
  ListenOptions,
  TcpListenOptions,
  UnixListenOptions,
} from './listen/listen-options.ts'
export {
  FCGI_ABORT_REQUEST,
  FCGI_AUTHORIZER,
  FCGI_BEGIN_REQUEST,
  FCGI_CANT_MPX_CONN,
  FCGI_DATA,
  FCGI_END_REQUEST,
  FCGI_FILTER,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_HEADER_LEN,
  FCGI_KEEP_CONN,
  FCGI_MAX_CONNS,
  FCGI_MAX_LENGTH,
  FCGI_MAX_REQS,
  FCGI_MPXS_CONNS,
  FCGI_NULL_REQUEST_ID,
  FCGI_OVERLOADED,
  FCGI_PARAMS,
  FCGI_REQUEST_COMPLETE,
  FCGI_RESPONDER,
  FCGI_STDERR,
  FCGI_STDIN,
  FCGI_STDOUT,
  FCGI_UNKNOWN_ROLE,
  FCGI_UNKNOWN_TYPE,
  FCGI_VERSION_1,
} from './protocol/constants.ts'
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
export type { Handlers } from './server/handlers.ts'
export { currentLauncher, type Launcher, setLauncher } from './server/launcher.ts'
export type { ServerOptions } from './server/options.ts'
export { isServeOption, type ServeOptions, serve } from './server/serve.ts'
export { createServer, FastCgiServer, SERVER_CHANNEL, type ServerEvents } from './server/server.ts'
export type { ServerStats } from './server/stats.ts'
