import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastCgiAddress } from '../address.ts'
import { DISPATCHER_OPTIONS, FastCgiDispatcher, type FastCgiDispatcherOptions } from '../dispatcher.ts'
import { checkOptionNames } from '../options.ts'
import { adviceFor } from './error.ts'
import { Forwarding, type GatewayContext } from './forwarding.ts'
import { type FileOptions, NamedFiles } from './named-files.ts'

/** Options of {@link createGateway}: those of the dispatcher, and these. */
export interface GatewayOptions extends FastCgiDispatcherOptions, FileOptions {
  /** What the application writes to FCGI_STDERR. Default: it goes to `process.stderr`. */
  readonly onStderr?: NonNullable<FastCgiDispatcherOptions['onStderr']>
  /** A request that failed between here and the application. Default: one line on `process.stderr`. */
  readonly onError?: (error: Error, request: IncomingMessage) => void
  /** Error pages say what went wrong and what to do. Default: unless NODE_ENV is `production`. */
  readonly exposeErrors?: boolean
  /**
   * An answer of nothing but a `Location` with a path is not for the client: the application is asked for that path, with GET
   * (RFC 3875 section 6.2.2). As Apache's CGI modules do; nginx makes a 302 of it. Default: true.
   */
  readonly localRedirects?: boolean
}

const OWN_NAMES: Readonly<Record<Exclude<keyof GatewayOptions, keyof FastCgiDispatcherOptions>, true>> = {
  onError: true,
  exposeErrors: true,
  localRedirects: true,
  xSendfile: true,
  xAccelRedirect: true,
}
const GATEWAY_OPTIONS: ReadonlySet<string> = new Set([...DISPATCHER_OPTIONS, ...Object.keys(OWN_NAMES)])

/**
 * An HTTP server that hands each request to a FastCGI application, over kept connections, streaming both ways: a
 * plain `node:http` server, so `gateway.listen(8080)` and `supertest(gateway)` both work. Closing it closes the
 * connections to the application as well.
 *
 * Throws TypeError for an address that is none, for option names it does not know, and for invalid options.
 */
export function createGateway(address: FastCgiAddress, options: GatewayOptions = {}): Server {
  checkOptionNames('createGateway', options, GATEWAY_OPTIONS)
  const { xSendfile, xAccelRedirect, onError, exposeErrors, localRedirects, ...rest } = options
  const dispatcher = new FastCgiDispatcher(address, {
    ...rest,
    onStderr: options.onStderr ?? ((chunk) => process.stderr.write(chunk)),
  })
  const context: GatewayContext = {
    dispatcher,
    onError: onError ?? logError,
    exposeErrors: exposeErrors ?? process.env.NODE_ENV !== 'production',
    localRedirects: localRedirects ?? true,
    files: xSendfile === undefined && xAccelRedirect === undefined ? undefined : new NamedFiles(options),
  }
  const forward = (request: IncomingMessage, response: ServerResponse): void =>
    new Forwarding(context, request, response).start()
  const server = createServer(forward)
  // Without this, Node says 100 Continue at once, before it is known that there is an application to take the body.
  server.on('checkContinue', forward)
  // Not the dispatcher itself: the server may listen again, as supertest makes it do for every request.
  server.on('close', () => dispatcher.closeIdleConnections())
  return server
}

function logError(error: Error, request: IncomingMessage): void {
  const text = `${error.message} ${adviceFor(error)}`.trimEnd()
  process.stderr.write(`fcgi-bridge gateway: ${request.method} ${request.url}: ${text}\n`)
}
