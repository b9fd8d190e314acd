import type { Site } from './site.ts'

/** The apps under test, by the adapter that serves them: tests/apps/NAME.js. */
export const APPS = ['express', 'fetch'] as const
export type AppName = (typeof APPS)[number]

/** What the front server itself makes of a request or an answer. Data for the cases, so that each runs everywhere. */
export interface Traits {
  /** An answer reaches the client piece by piece; else when it is whole. */
  streamsAnswers: boolean
  /** The client gets a response head that the app flushed; else only with the first byte of the body. */
  sendsHeadAlone: boolean
  /** The app gets a body while the client still sends it; else when it is whole. */
  streamsBodies: boolean
  /** Where `streamsBodies`: an upload that breaks off aborts the request; else its body ends short, and that is all. */
  abortsUploads: boolean
  /** The methods whose body does not reach the app. */
  dropsBodyOf: readonly string[]
  /** The Cookie that an app sees when a client sent `a=1` and `b=2` in two fields (RFC 9113 wants '; '). */
  joinedCookies: 'a=1; b=2' | 'a=1, b=2' | 'a=1;b=2'
  /** The Host that an app sees, of a client's `Front.Test:PORT`. */
  host: 'as sent' | 'lower case' | 'lower case, no port'
  /**
   * Which requests without a body have a `content-length: 0` for the app: those that have it on the wire, or, because the front server does
   * not tell, every POST, PUT and PATCH.
   */
  emptyLength: 'as sent' | 'by method'
  /** The methods that the front server answers with 411 if the client sends neither a length nor a chunked body. */
  requiresLengthOf?: readonly string[]
  /**
   * What a client sees of an answer of unknown length that the app breaks off: a connection that is cut, an error page
   * in place of the rest, or nothing: it passes for whole.
   */
  brokenAnswer: 'cut' | 'error page' | 'nothing'
  /** What an app writes to FCGI_STDERR is in the front server's log; else it is dropped. */
  logsErrors: boolean
  /** What a client may see, besides 502 and 503, when an app stops before the front server has handed it the request. */
  refusals?: readonly (number | string)[]
  /** Each request is a start of the app: a second of a processor, and a hundred megabytes. */
  startsPerRequest?: boolean
}

/** One way in which a front server is set up. */
export interface Mode {
  /** As the reader of a test report would say it. Unique within the front server. */
  name: string
  /** What URLs of the app begin with: '' at the root. */
  prefix: string
  /** The mount that the app is to see, where it is not the prefix. */
  mount?: string
  traits: Traits
}

/** Where an app answers. */
export interface Origin {
  host: string
  port: number
}

/** A front server that runs. */
export interface RunningFront {
  /** Where the app answers in this mode. */
  origin(mode: string, app: AppName): Origin
}

/** A kind of front server: what a new file in this folder exports. */
export interface Front {
  name: string
  modes: readonly Mode[]
  /** Starts it, with both apps behind it in every mode. */
  start(site: Site): Promise<RunningFront>
}
