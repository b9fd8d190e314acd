import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { createGateway, type GatewayOptions } from '@fcgi-bridge/client'
import { onTestFinished } from 'vitest'

/** How requests reach an app: on node:http, or over FastCGI through the gateway of `@fcgi-bridge/client`. */
export type Way = 'http' | 'fastcgi'

/** An app under a monitoring tool, in a separate process. */
export interface Watched {
  /** The port of its HTTP server, or of the gateway in front of it. */
  readonly port: number
  /** The app's own port. */
  readonly appPort: number
  /** Its output so far. */
  readonly output: string
  /** Stops the app, and waits for its exit: tools send their last data then. */
  stop(): Promise<void>
}

/**
 * Starts tests/monitoring/apps/NAME. Node's arguments `args` load the tool. The app is stopped when the test has
 * finished.
 */
export async function startApp(
  name: string,
  way: Way,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Watched> {
  const file = fileURLToPath(new URL(`apps/${name}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [...args, file], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_OPTIONS: process.env.NODE_OPTIONS,
      WAY: way,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const port = new Promise<number>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        const match = /listening on (\d+);/.exec(output)
        if (match !== null) resolve(Number(match[1]))
      })
    }
    child.once('exit', () => reject(new Error(`The app ended before it listened:\n${output}`)))
  })
  const exited = once(child, 'exit')
  onTestFinished(() => {
    child.kill('SIGKILL')
    return exited.then(() => {})
  })
  const appPort = await port
  return {
    port: way === 'http' ? appPort : await startGateway(appPort),
    appPort,
    get output() {
      return output
    },
    stop: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** Starts a gateway in front of an app, and returns its port. It is closed when the test has finished. */
export async function startGateway(appPort: number, options: GatewayOptions = {}): Promise<number> {
  const gateway = createGateway({ host: '127.0.0.1', port: appPort }, { onStderr: () => {}, ...options })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  onTestFinished(() => {
    gateway.closeAllConnections()
    gateway.close()
  })
  return (gateway.address() as AddressInfo).port
}

/** One request, sent on a new connection. */
export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
}

/** Sends a request to `port` of 127.0.0.1. Resolves with the status and the body of the response. */
export async function ask(
  port: number,
  { method = 'GET', path, headers, body = '' }: Asked,
): Promise<string> {
  const request = requestHttp({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: {
      host: 'app.test:8080',
      'user-agent': 'tests',
      ...(body !== '' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...headers,
    },
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  return `${response.statusCode} ${text}`
}

/** The requests for each app in tests/monitoring/apps. `/hello/b` has a parent span in another service. */
export const requests: readonly Asked[] = [
  { path: '/hello/a?x=1' },
  { path: '/hello/b', headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } },
  { method: 'POST', path: '/items', body: '{"a":1}' },
  { path: '/stream' },
  { path: '/fails' },
]

/** Node's arguments and the environment for OpenTelemetry's zero-code instrumentation, as in its documentation. */
export function openTelemetry(endpoint: string): { args: string[]; env: Record<string, string> } {
  return {
    args: [
      '--import',
      '@opentelemetry/auto-instrumentations-node/register',
      '--experimental-loader=@opentelemetry/instrumentation/hook.mjs',
    ],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_SEMCONV_STABILITY_OPT_IN: 'http',
      // The detectors for clouds send requests over the network.
      OTEL_NODE_RESOURCE_DETECTORS: 'none',
      NODE_NO_WARNINGS: '1',
    },
  }
}
