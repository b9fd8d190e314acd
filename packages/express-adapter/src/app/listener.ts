import type { IncomingMessage, ServerResponse } from 'node:http'

/** What `http.createServer` takes: an Express or connect app, or any function of a request and a response. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown
