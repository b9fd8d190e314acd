import { quote, RequestError } from './error.ts'
import {
  FAULT_CONTENT_LENGTH,
  FAULT_HEADER_NAME,
  FAULT_LINE_BREAK,
  FAULT_METHOD,
  type Params,
} from './params.ts'
import type { RequestHead } from './request-head.ts'

/**
 * Throws a {@link RequestError} with status 400 for an invalid request. A request is invalid if
 *
 * - it has no method, or one that is not a token,
 * - the name of a header is not a token,
 * - a header, CONTENT_TYPE, REQUEST_URI, QUERY_STRING or a redirected Authorization contains a line break,
 * - the target or the authority is invalid,
 * - CONTENT_LENGTH is not a plain decimal number.
 *
 * If a param is repeated, the last one counts, because an nginx configuration overrides a param by naming it again. Clients cannot
 * repeat a param. Other params may be absent: authorizers are called without SCRIPT_NAME, PATH_INFO and CONTENT_LENGTH.
 */
export function checkRequest(head: RequestHead): void {
  const { params } = head
  if (params.faults !== 0) checkFaults(params)
  // Throws if the target or the authority is invalid.
  void head.authority
}

function checkFaults(params: Params): void {
  const { faults } = params
  if ((faults & FAULT_METHOD) !== 0) {
    const { method } = params
    throw new RequestError(
      400,
      'FCGI_ERR_METHOD',
      method
        ? `REQUEST_METHOD is not a valid method: ${quote(method)}.`
        : 'The request has no REQUEST_METHOD.',
    )
  }
  if ((faults & FAULT_HEADER_NAME) !== 0) {
    throw new RequestError(400, 'FCGI_ERR_HEADER', 'The name of an HTTP_* param is not a valid header name.')
  }
  if ((faults & FAULT_LINE_BREAK) !== 0) {
    throw new RequestError(400, 'FCGI_ERR_HEADER', 'A header or the request target contains a line break.')
  }
  if ((faults & FAULT_CONTENT_LENGTH) !== 0) {
    const text = params.contentLength ?? ''
    if (text !== '-1' && !(/^\d+$/.test(text) && Number.isSafeInteger(Number(text)))) {
      throw new RequestError(
        400,
        'FCGI_ERR_CONTENT_LENGTH',
        `CONTENT_LENGTH is not a decimal number: ${quote(text)}.`,
      )
    }
  }
}
