import type { ServerOptions } from './options.ts'

// `Record` makes the compiler demand an entry for each option, so no option can be missing here and be refused.
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
  allowedServers: true,
  onError: true,
}

/** The names of {@link ServerOptions}. */
export const SERVER_OPTION_NAMES: readonly string[] = Object.keys(SERVER)
