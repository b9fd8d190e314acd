import { describe, expect, onTestFinished, test } from 'vitest'
import { type Metric, OtlpReceiver, type Span } from './otlp.ts'
import { ask, openTelemetry, requests, startApp, type Way } from './watched.ts'

const apps = ['http', 'express', 'fastify', 'koa', 'nest', 'hono']

interface Report {
  responses: string[]
  traces: unknown[]
  metrics: unknown[]
}

async function observe(app: string, way: Way): Promise<Report> {
  const receiver = new OtlpReceiver()
  const endpoint = await receiver.listen()
  onTestFinished(() => receiver.close())
  const { args, env } = openTelemetry(endpoint)
  const watched = await startApp(app, way, args, env)
  const responses: string[] = []
  // Sequential requests keep their spans in order.
  for (const request of requests) responses.push(await ask(watched.port, request))
  await watched.stop()
  const { spans, metrics } = receiver
  return {
    responses,
    traces: spans
      .filter((span) => span.kind === 'server')
      .map((span) => comparable(span, spans, watched.appPort, watched.port)),
    metrics: metrics.filter(({ name }) => name === 'http.server.request.duration').flatMap(pointsOf),
  }
}

// A server span with all spans below it. Times, ids and the ports of connections differ between runs.
function comparable(span: Span, all: readonly Span[], appPort: number, frontPort: number): unknown {
  const { name, kind, attributes, status, events, parentSpanId, traceId, spanId } = span
  const port = (value: unknown): unknown => (value === appPort || value === frontPort ? 'the port' : value)
  return {
    name,
    kind,
    status,
    attributes: Object.fromEntries(
      Object.entries(attributes)
        .map(([key, value]) => [key, key === 'network.peer.port' ? typeof value : port(value)])
        .sort(),
    ),
    events: events.map(({ name }) => name),
    ...(kind === 'server' && {
      parent: parentSpanId === '' ? 'none' : parentSpanId,
      trace: parentSpanId === '' ? 'its own' : traceId,
    }),
    children: all
      .filter((child) => child.parentSpanId === spanId)
      .map((child) => comparable(child, all, appPort, frontPort)),
  }
}

function pointsOf({ points }: Metric): unknown[] {
  return points
    .map(({ attributes, count }) => ({ attributes, count }))
    .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
}

describe('OpenTelemetry (auto-instrumentations-node) reports the same over FastCGI as on node:http', () => {
  for (const app of apps) {
    test(`${app}: spans with attributes, parents and children, and http.server.request.duration`, async () => {
      const reference = await observe(app, 'http')
      expect(reference.responses).toHaveLength(requests.length)
      expect(reference.traces).toHaveLength(requests.length)
      const parents = reference.traces.map((trace) => (trace as { parent: string }).parent)
      expect(parents[1]).toBe('b7ad6b7169203331')
      expect(reference.metrics).not.toHaveLength(0)
      expect(await observe(app, 'fastcgi')).toEqual(reference)
    })
  }
})

test('a trace continues through the dispatcher of @fcgi-bridge/client: handler, client call, next handler', async () => {
  const receiver = new OtlpReceiver()
  const endpoint = await receiver.listen()
  onTestFinished(() => receiver.close())
  const { args, env } = openTelemetry(endpoint)
  const next = await startApp('hono', 'fastcgi', args, env)
  const calls = await startApp('calls', 'fastcgi', args, { ...env, NEXT: String(next.appPort) })
  expect(await ask(calls.port, { path: '/calls/ada' })).toBe('200 next says hello ada')
  await calls.stop()
  await next.stop()
  const { spans } = receiver
  const nextServer = spans.find(
    ({ attributes, kind }) => kind === 'server' && attributes['url.path'] === '/hello/ada',
  )
  const client = spans.find(({ spanId }) => spanId === nextServer?.parentSpanId)
  expect(client).toMatchObject({
    kind: 'client',
    name: 'GET',
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.full': 'http://next.test/hello/ada',
    },
  })
  const chain = [client!]
  while (chain[0]!.parentSpanId !== '')
    chain.unshift(spans.find(({ spanId }) => spanId === chain[0]!.parentSpanId)!)
  expect([chain[0]!.kind, chain[0]!.attributes['url.path']]).toEqual(['server', '/calls/ada'])
})
