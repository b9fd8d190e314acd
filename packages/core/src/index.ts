export * from './protocol/constants.ts'
export { RecordDecoder, type RecordSink } from './protocol/decoder.ts'
export {
  encodeBeginRequest,
  encodeEndRequest,
  encodeHeader,
  encodeRecord,
  encodeUnknownType,
  paddingFor,
  RECORD_CONTENT_MAX,
} from './protocol/encoder.ts'
export { ProtocolError, type ProtocolErrorCode } from './protocol/error.ts'
export { decodeNameValues, encodeNameValues } from './protocol/name-values.ts'
