import type { ServerOptions } from './options.ts'

// With `Record`, the compiler requires an entry for each option. An option without an entry would be refused as unknown.
const SERVER: Record<keyof ServerOptions, true> = {
  mount: true,
  multiplex: true,
  maxConnections: true,
  maxRequests: true,
  maxParamsBytes: true,
  maxParamsCount: true,
  maxHeaderBytes: true,
  maxBodyBytes: true,
  maxRequestsPerConnection: true,
  maxBufferedPerRequest: true,
  maxBufferedPerConnection: true,
  maxStderrBytes: true,
  paramsTimeout: true,
  bodyTimeout: true,
  requestTimeout: true,
  idleTimeout: true,
  writeTimeout: true,
  lingerTimeout: true,
  lingerBytes: true,
  drainTimeout: true,
  healthPath: true,
  allowedServers: true,
  onError: true,
}

/** The names of {@link ServerOptions}. */
export const SERVER_OPTION_NAMES: readonly string[] = Object.keys(SERVER)
