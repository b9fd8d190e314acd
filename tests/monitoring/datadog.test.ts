import { describe, expect, onTestFinished, test } from 'vitest'
import { decode } from './msgpack.ts'
import { Receiver } from './receiver.ts'
import { ask, requests, startApp, type Way } from './watched.ts'

interface Span {
  span_id: bigint
  parent_id: bigint | number
  trace_id: bigint
  name: string
  resource: string
  service: string
  type: string
  error: number
  meta: Record<string, string>
  metrics: Record<string, number>
}

/** Replaces Datadog's agent. */
class Agent extends Receiver {
  get spans(): Span[] {
    return this.received
      .filter(({ path }) => path === '/v0.4/traces')
      .flatMap(({ body }) => decode(body) as Span[][])
      .flat()
  }
}

interface Report {
  responses: string[]
  traces: unknown[]
}

async function observe(app: string, way: Way): Promise<Report> {
  const agent = new Agent()
  const url = await agent.listen()
  onTestFinished(() => agent.close())
  const watched = await startApp(app, way, ['--import', 'dd-trace/initialize.mjs'], {
    DD_TRACE_AGENT_URL: url,
    DD_SERVICE: 'app',
    DD_TRACE_FLUSH_INTERVAL: '0',
    DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
    DD_REMOTE_CONFIGURATION_ENABLED: 'false',
    DD_CRASHTRACKING_ENABLED: 'false',
    DD_TRACE_STARTUP_LOGS: 'false',
    DD_DYNAMIC_INSTRUMENTATION_ENABLED: 'false',
    NODE_NO_WARNINGS: '1',
  })
  const responses: string[] = []
  for (const [index, request] of requests.entries()) {
    responses.push(await ask(watched.port, request))
    await agent.until(() => (serversIn(agent.spans).length > index ? true : undefined))
  }
  await watched.stop()
  const { spans } = agent
  return {
    responses,
    traces: serversIn(spans).map((span) => comparable(span, spans, [watched.port, watched.appPort])),
  }
}

function serversIn(spans: readonly Span[]): Span[] {
  return spans.filter(({ meta }) => meta['span.kind'] === 'server')
}

// The keys of values that differ between runs: ids, times, the process.
const VARYING_KEYS =
  /^(?:runtime-id|_dd\.p\.tid|_dd\.tracer_kr|process_id|_dd\.agent_psr|_dd\.p\.dm|error\.stack|_dd\.parent_id)$/

function comparable(span: Span, all: readonly Span[], ports: readonly number[]): unknown {
  const { name, resource, service, type, error, meta, metrics, parent_id } = span
  const plain = (values: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([key]) => !VARYING_KEYS.test(key))
        .map(([key, value]) => [key, ports.includes(Number(value)) ? 'the port' : value])
        .sort(),
    )
  return {
    name,
    resource,
    service,
    type,
    error,
    meta: plain(meta),
    metrics: plain(metrics),
    ...(meta['span.kind'] === 'server' && { parent: parent_id === 0n ? 'none' : String(parent_id) }),
    children: all
      .filter((child) => child.parent_id === span.span_id)
      .map((child) => comparable(child, all, ports)),
  }
}

describe('Datadog (dd-trace) reports the same over FastCGI as on node:http', () => {
  for (const app of ['http', 'express', 'fastify', 'koa', 'nest', 'hono']) {
    test(`${app}: spans with tags, parents and children`, async () => {
      const reference = await observe(app, 'http')
      expect(reference.traces).toHaveLength(requests.length)
      expect((reference.traces[1] as { parent: string }).parent).toBe(String(0xb7ad6b7169203331n))
      expect(await observe(app, 'fastcgi')).toEqual(reference)
    })
  }
})
