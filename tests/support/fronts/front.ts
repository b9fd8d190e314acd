import type { Site } from './site.ts'

/** The apps under test, by the adapter that serves them: tests/support/apps/NAME.js. */
export const APPS = ['express', 'fetch'] as const
export type AppName = (typeof APPS)[number]

/**
 * The front server's own differences in requests and responses, as data for the cases, so that every case runs on every
 * server.
 */
export interface Traits {
  /** The client gets a response piece by piece. Otherwise it gets the response when it is complete. */
  streamsResponses: boolean
  /**
   * The client gets a response head that the app flushed. Otherwise it gets the head with the first byte of the body.
   */
  flushesHeads: boolean
  /** The app gets a body while the client is still sending. Otherwise it gets the body when it is complete. */
  streamsBodies: boolean
  /** With `streamsBodies`: an interrupted upload aborts the request. Otherwise its body just ends early. */
  abortsUploads: boolean
  /** The methods whose bodies do not reach the app. */
  dropsBodyOf: readonly string[]
  /** The Cookie header that an app gets if a client sent `a=1` and `b=2` in two fields (RFC 9113 requires '; '). */
  joinedCookies: 'a=1; b=2' | 'a=1, b=2' | 'a=1;b=2'
  /** The Host header that an app gets if a client sent `Front.Test:PORT`. */
  host: 'as sent' | 'lower case' | 'lower case, no port'
  /**
   * Which requests without a body have `content-length: 0` for the app. `as sent`: those that the client sent with it.
   * `by method`: every POST, PUT and PATCH, because the front server does not pass on whether the client sent it.
   */
  emptyLength: 'as sent' | 'by method'
  /**
   * The methods for which the front server responds with 411 if the client sends neither a length nor a chunked body.
   */
  requiresLengthOf?: readonly string[]
  /**
   * What a client gets if the app fails during a response of unknown length. The connection is closed before the end of the response, or
   * an error page replaces the rest, or the response looks complete.
   */
  failedResponse: 'aborted' | 'error page' | 'looks complete'
  /** The front server logs what an app writes to FCGI_STDERR. Otherwise it drops it. */
  logsErrors: boolean
  /** What a client may get, besides 502 and 503, if an app stops before the front server has passed it the request. */
  refusals?: readonly (number | string)[]
  /** Each request starts the app, which takes a second of CPU time and 100 MB. */
  startsPerRequest?: boolean
}

/** One way to set up a front server. */
export interface Mode {
  /** The name in test reports. Unique within the front server. */
  name: string
  /** The prefix of the app's URLs: '' at the root. */
  prefix: string
  /** The mount that the app must get, if it differs from the prefix. */
  mount?: string
  traits: Traits
}

/** The address of an app behind the front server. */
export interface Origin {
  host: string
  port: number
}

/** A running front server. */
export interface RunningFront {
  /** The address of the app in this mode. */
  origin(mode: string, app: AppName): Origin
}

/** A kind of front server. Each file in this folder exports one. */
export interface Front {
  name: string
  modes: readonly Mode[]
  /** Starts the server, with both apps in every mode. */
  start(site: Site): Promise<RunningFront>
}
