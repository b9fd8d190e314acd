import type { GatewayOptions } from '@fcgi-bridge/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Receiver } from './receiver.ts'
import { type Asked, ask, startApp, startGateway, type Watched, type Way } from './watched.ts'

interface Event {
  user?: { id?: string }
  tags?: Record<string, string>
  request?: { url?: string; method?: string }
  exception?: { values: { value: string }[] }
}

/** The errors in an envelope of Sentry's SDK: lines of JSON, first a header, then items, each with a header and its content. */
function errorsIn(envelope: Buffer): Event[] {
  return envelope
    .toString()
    .split('\n')
    .filter((line) => line.startsWith('{"') && line.includes('"event_id"'))
    .map((line) => JSON.parse(line) as Event)
    .filter(({ exception }) => exception !== undefined)
}

const USERS = Array.from({ length: 100 }, (_, index) => String(index))

/** An app under Sentry's SDK. */
interface Reporting {
  watched: Watched
  /** Sends a request of each user to `port`. Resolves with the errors that the SDK has reported for them. */
  errorsOf(port: number): Promise<Event[]>
}

async function startReporting(app: string, way: Way): Promise<Reporting> {
  const errors: Event[] = []
  const receiver = new Receiver(({ body }) => {
    errors.push(...errorsIn(body))
    return '{}'
  })
  await receiver.listen()
  onTestFinished(() => receiver.close())
  const watched = await startApp(app, way, ['--import', './apps/sentry.mjs'], {
    SENTRY_DSN: `http://key@127.0.0.1:${receiver.port}/1`,
    NODE_NO_WARNINGS: '1',
  })
  return {
    watched,
    async errorsOf(port) {
      errors.length = 0
      const responses = await Promise.all(USERS.map((id) => ask(port, requestOf(id))))
      expect(new Set(responses)).toEqual(new Set(['500 failed']))
      await receiver.until(() => (errors.length >= USERS.length ? true : undefined))
      return errors.slice()
    },
  }
}

function requestOf(id: string): Asked {
  const path = `/user/${id}`
  return Number(id) % 2 === 0 ? { path } : { method: 'POST', path, body: JSON.stringify({ id }) }
}

function summaryOf({ user, tags, request, exception }: Event): string {
  const path = request?.url === undefined ? undefined : new URL(request.url).pathname
  return `${exception!.values.at(-1)!.value}: user ${user?.id}, tag ${tags?.user}, ${request?.method} ${path}`
}

const expected = USERS.map(
  (id) => `broken for ${id}: user ${id}, tag ${id}, ${Number(id) % 2 === 0 ? 'GET' : 'POST'} /user/${id}`,
).sort()

const CONNECTIONS: Record<string, GatewayOptions> = {
  'a connection for each request': { keepConn: false, maxIdleConnections: 0 },
  'reused connections': { maxConnections: 8 },
  'multiplexed connections': { multiplex: 32, maxConnections: 2 },
}

describe.each(['users-express', 'users-hono'])(
  'Sentry: the errors of 100 concurrent requests each have their own user (%s)',
  (app) => {
    test('node:http, for comparison', async () => {
      const { watched, errorsOf } = await startReporting(app, 'http')
      expect((await errorsOf(watched.port)).map(summaryOf).sort()).toEqual(expected)
      await watched.stop()
    })

    test(`FastCGI: ${Object.keys(CONNECTIONS).join(', ')}`, async () => {
      const { watched, errorsOf } = await startReporting(app, 'fastcgi')
      for (const [name, gateway] of Object.entries(CONNECTIONS)) {
        const port = await startGateway(watched.appPort, gateway)
        expect((await errorsOf(port)).map(summaryOf).sort(), name).toEqual(expected)
      }
      await watched.stop()
    })
  },
)
