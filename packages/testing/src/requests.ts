import { type Bytes, bytes } from './bytes.ts'
import { pairs } from './name-values.ts'
import { type BeginOptions, begin, record, stream, TYPES } from './records.ts'

/** Params by name, or as an ordered list that may repeat a name. */
export type ParamList = Readonly<Record<string, string>> | readonly (readonly [name: Bytes, value: Bytes])[]

/** The params of a plain GET. */
export const GET: Readonly<Record<string, string>> = {
  REQUEST_METHOD: 'GET',
  REQUEST_URI: '/',
  SCRIPT_NAME: '',
  PATH_INFO: '/',
  QUERY_STRING: '',
  SERVER_PROTOCOL: 'HTTP/1.1',
  SERVER_NAME: 'front.test',
  SERVER_PORT: '80',
  HTTP_HOST: 'front.test',
  REMOTE_ADDR: '192.0.2.7',
  REMOTE_PORT: '40000',
}

/** The params of a POST without CONTENT_LENGTH. */
export const POST: Readonly<Record<string, string>> = { ...GET, REQUEST_METHOD: 'POST' }

/** A PARAMS stream, with the empty record that ends it. */
export function params(id: number, list: ParamList = GET): Buffer {
  const all = pairs(Array.isArray(list) ? list : Object.entries(list))
  return bytes(stream(TYPES.PARAMS, id, all), record(TYPES.PARAMS, id))
}

/** A whole request without a body. `changes` override the params of {@link GET}. */
export function get(id: number, changes: Record<string, string> = {}, options?: BeginOptions): Buffer {
  return bytes(begin(id, options), params(id, { ...GET, ...changes }), record(TYPES.STDIN, id))
}
