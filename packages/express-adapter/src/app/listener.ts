import type { IncomingMessage, ServerResponse } from 'node:http'

/** A listener as `http.createServer` takes it: an Express or connect app, or any function of a request and a response. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => unknown
