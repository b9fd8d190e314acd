import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { startNginx } from '../support/fronts/nginx.ts'
import { Site } from '../support/fronts/site.ts'
import { OtlpReceiver } from './otlp.ts'
import { openTelemetry, startApp } from './watched.ts'

// The configuration in docs/monitoring.md.
const MAPS = `
  map $request_id $span_of_request_id { "~^(?<half>.{16})" $half; }
  map $http_traceparent $traceparent {
    default $http_traceparent;
    "" "00-$request_id-$span_of_request_id-01";
  }`
const PARAMS = `
  include /etc/nginx/fastcgi_params;
  fastcgi_param HTTP_X_REQUEST_ID $request_id;
  fastcgi_param HTTP_TRACEPARENT $traceparent;
  add_header X-Request-Id $request_id always;`

async function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  const request = requestHttp({ host: '127.0.0.1', port, path, headers, agent: false }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response
}

test.each(['express', 'hono'])(
  'behind nginx the trace id is the request id that nginx logs (%s)',
  async (name) => {
    const receiver = new OtlpReceiver()
    const endpoint = await receiver.listen()
    onTestFinished(() => receiver.close())
    const { args, env } = openTelemetry(endpoint)
    const app = await startApp(name, 'fastcgi', args, env)
    const site = new Site()
    onTestFinished(() => site.stop())
    const [port] = await startNginx(
      site,
      1,
      ([port]) => `
    ${MAPS}
    server {
      listen 127.0.0.1:${port};
      location / { fastcgi_pass 127.0.0.1:${app.appPort}; ${PARAMS} }
    }`,
    )
    const own = await get(port!, '/hello/own')
    const requestId = own.headers['x-request-id'] as string
    expect(requestId).toMatch(/^[\da-f]{32}$/)
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    await get(port!, '/hello/joined', { traceparent: `00-${traceId}-b7ad6b7169203331-01` })
    await app.stop()
    const servers = receiver.spans.filter(({ kind }) => kind === 'server')
    expect(
      servers.map(({ attributes, traceId, parentSpanId }) => [attributes['url.path'], traceId, parentSpanId]),
    ).toEqual([
      ['/hello/own', requestId, requestId.slice(0, 16)],
      ['/hello/joined', traceId, 'b7ad6b7169203331'],
    ])
  },
)
