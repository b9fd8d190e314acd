import { expect, test } from 'vitest'
import { ask, requests, startApp, type Way } from './watched.ts'

interface Report {
  responses: string[]
  log: Record<string, unknown[]>
  metrics: string[]
}

async function observe(way: Way): Promise<Report> {
  const watched = await startApp('logged', way, [], { NODE_NO_WARNINGS: '1' })
  const responses: string[] = []
  for (const request of requests) responses.push(await ask(watched.port, request))
  const metrics = await ask(watched.port, { path: '/metrics' })
  await watched.stop()
  const lines = watched.output.split('\n').slice(1).filter(Boolean)
  return {
    responses,
    // Grouped by logger, because pino writes to the same output asynchronously.
    log: {
      pino: lines.filter((line) => line.includes('"pino":')).map((line) => comparable(JSON.parse(line))),
      winston: lines
        .filter((line) => line.includes('"message":'))
        .map((line) => comparable(JSON.parse(line))),
      morgan: lines.filter((line) => line.startsWith('morgan ')),
    },
    // Without durations.
    metrics: metrics
      .split('\n')
      .filter((line) => /^(?:#|http_request_duration_seconds_count|up )/.test(line)),
  }
}

// Times, the process and the ports differ between runs.
const OWN = new Set(['time', 'pid', 'hostname', 'responseTime', 'remotePort', 'stack', 'timestamp'])
// CGI has no information about the further use of the client's connection.
const UNSAID = new Set(['connection'])

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value === 'string') return value.replace(/\d+ms/g, 'some ms')
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !OWN.has(key) && !UNSAID.has(key))
      .map(([key, inner]) => [key, comparable(inner)]),
  )
}

test('pino-http, morgan, express-winston, prom-client and express-prom-bundle report the same over FastCGI as on node:http', async () => {
  const reference = await observe('http')
  for (const lines of Object.values(reference.log))
    expect(lines.length).toBeGreaterThanOrEqual(requests.length)
  expect(reference.metrics.join('\n')).toContain('path="/hello/a"')
  const actual = await observe('fastcgi')
  expect(actual.responses).toEqual(reference.responses)
  expect(actual.metrics).toEqual(reference.metrics)
  expect(actual.log).toEqual(reference.log)
})
