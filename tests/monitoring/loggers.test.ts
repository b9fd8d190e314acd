import { expect, test } from 'vitest'
import { ask, requests, startApp, type Way } from './watched.ts'

interface Seen {
  answers: string[]
  log: Record<string, unknown[]>
  metrics: string[]
}

async function observe(way: Way): Promise<Seen> {
  const watched = await startApp('logged', way, [], { NODE_NO_WARNINGS: '1' })
  const answers: string[] = []
  for (const request of requests) answers.push(await ask(watched.port, request))
  const metrics = await ask(watched.port, { path: '/metrics' })
  await watched.stop()
  const lines = watched.output.split('\n').slice(1).filter(Boolean)
  return {
    answers,
    // By logger: pino writes to the same output at its own time.
    log: {
      pino: lines.filter((line) => line.includes('"pino":')).map((line) => comparable(JSON.parse(line))),
      winston: lines
        .filter((line) => line.includes('"message":'))
        .map((line) => comparable(JSON.parse(line))),
      morgan: lines.filter((line) => line.startsWith('morgan ')),
    },
    // Not how long it took.
    metrics: metrics
      .split('\n')
      .filter((line) => /^(?:#|http_request_duration_seconds_count|up )/.test(line)),
  }
}

// Times, the process and the ports are each run's own.
const OWN = new Set(['time', 'pid', 'hostname', 'responseTime', 'remotePort', 'stack', 'timestamp'])
// What CGI does not say: how the connection of the client goes on is the front server's affair.
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

test('pino-http, morgan, express-winston, prom-client and express-prom-bundle say over FastCGI what they say on node:http', async () => {
  const reference = await observe('http')
  for (const lines of Object.values(reference.log))
    expect(lines.length).toBeGreaterThanOrEqual(requests.length)
  expect(reference.metrics.join('\n')).toContain('path="/hello/a"')
  const seen = await observe('fastcgi')
  expect(seen.answers).toEqual(reference.answers)
  expect(seen.metrics).toEqual(reference.metrics)
  expect(seen.log).toEqual(reference.log)
})
