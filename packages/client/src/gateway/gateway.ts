import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastCgiAddress } from '../address.ts'
import { DISPATCHER_OPTIONS, FastCgiDispatcher, type FastCgiDispatcherOptions } from '../dispatcher.ts'
import { checkOptionNames } from '../options.ts'
import { adviceFor } from './error.ts'
import { Forwarding, type GatewayContext } from './forwarding.ts'
import { type FileOptions, SendfileFolders } from './sendfile.ts'

/** Options of {@link createGateway}, in addition to those of the dispatcher. */
export interface GatewayOptions extends FastCgiDispatcherOptions, FileOptions {
  /** Called with what the application writes to FCGI_STDERR. Default: it is written to `process.stderr`. */
  readonly onStderr?: NonNullable<FastCgiDispatcherOptions['onStderr']>
  /**
   * Called for a request that failed between the gateway and the application. Default: writes one line to
   * `process.stderr`.
   */
  readonly onError?: (error: Error, request: IncomingMessage) => void
  /** Say on error pages what went wrong and what to do. Default: true, unless NODE_ENV is `production`. */
  readonly exposeErrors?: boolean
  /**
   * Follow local redirects (RFC 3875 section 6.2.2): if a response is nothing but a `Location` with a path, the gateway
   * requests that path from the application with GET. Apache's CGI modules do the same. nginx sends the client a 302.
   * Default: true.
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
 * Creates an HTTP server that forwards each request to a FastCGI application. It keeps connections to the application
 * and streams both ways. It is a plain `node:http` server, so `gateway.listen(8080)` and `supertest(gateway)` work.
 * Closing it also closes the connections to the application.
 *
 * Throws TypeError for an invalid address, unknown option names, and invalid options.
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
    files: xSendfile === undefined && xAccelRedirect === undefined ? undefined : new SendfileFolders(options),
  }
  const forward = (request: IncomingMessage, response: ServerResponse): void =>
    new Forwarding(context, request, response).start()
  const server = createServer(forward)
  // By default, Node sends 100 Continue before it is known whether an application can take the body.
  server.on('checkContinue', forward)
  // Do not close the dispatcher: the server may listen again. supertest closes and opens it for every request.
  server.on('close', () => dispatcher.closeIdleConnections())
  return server
}

function logError(error: Error, request: IncomingMessage): void {
  const advice = adviceFor(error)
  const text = advice === '' ? error.message : `${error.message.replace(/\.$/, '')}. ${advice}`
  process.stderr.write(`fcgi-bridge gateway: ${request.method} ${request.url}: ${text}\n`)
}
