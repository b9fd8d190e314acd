export { type Bytes, bytes } from './bytes.ts'
export { length, pair, pairs, readPairs } from './name-values.ts'
export { Peer, type PeerResponse } from './peer.ts'
export { RecordReader, type WireRecord } from './record-reader.ts'
export {
  alignedRecords,
  type BeginOptions,
  begin,
  endRequest,
  KEEP_CONN,
  ROLES,
  record,
  stream,
  TYPES,
} from './records.ts'
export { GET, get, type ParamList, POST, params } from './requests.ts'
export { Responder, type ResponderAddress, ResponderRequest } from './responder.ts'
