import type { GatewayOptions } from '@fcgi-bridge/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Receiver } from './receiver.ts'
import { ask, startApp, type Way } from './watched.ts'

interface Event {
  type?: string
  user?: { id?: string }
  tags?: Record<string, string>
  request?: { url?: string; method?: string }
  exception?: { values: { value: string }[] }
  contexts?: { trace?: { trace_id?: string; data?: Record<string, unknown> } }
}

/**
 * Receives data of Sentry's SDK. An envelope is lines of JSON: a header, then items, each with a header and its
 * content.
 */
class SentryReceiver extends Receiver {
  get events(): Event[] {
    return this.received
      .flatMap(({ body }) => body.toString().split('\n'))
      .filter((line) => line.startsWith('{"') && line.includes('"event_id"'))
      .map((line) => JSON.parse(line) as Event)
  }

  get errors(): Event[] {
    return this.events.filter(({ exception }) => exception !== undefined)
  }
}

const USERS = Array.from({ length: 100 }, (_, index) => String(index))

async function errorsOf(app: string, way: Way, gateway?: GatewayOptions): Promise<Event[]> {
  const receiver = new SentryReceiver()
  await receiver.listen()
  onTestFinished(() => receiver.close())
  const watched = await startApp(
    app,
    way,
    ['--import', './apps/sentry.mjs'],
    { SENTRY_DSN: `http://key@127.0.0.1:${receiver.port}/1`, NODE_NO_WARNINGS: '1' },
    gateway,
  )
  const responses = await Promise.all(
    USERS.map((id) =>
      ask(
        watched.port,
        Number(id) % 2 === 0
          ? { path: `/user/${id}` }
          : { method: 'POST', path: `/user/${id}`, body: JSON.stringify({ id }) },
      ),
    ),
  )
  expect(new Set(responses)).toEqual(new Set(['500 failed']))
  await receiver.until(() => (receiver.errors.length >= USERS.length ? true : undefined))
  await watched.stop()
  return receiver.errors
}

function summaryOf({ user, tags, request, exception }: Event): string {
  const path = request?.url === undefined ? undefined : new URL(request.url).pathname
  return `${exception!.values.at(-1)!.value}: user ${user?.id}, tag ${tags?.user}, ${request?.method} ${path}`
}

const expected = USERS.map(
  (id) => `broken for ${id}: user ${id}, tag ${id}, ${Number(id) % 2 === 0 ? 'GET' : 'POST'} /user/${id}`,
).sort()

describe.each(['users-express', 'users-hono'])(
  'Sentry: the errors of 100 concurrent requests each have their own user (%s)',
  (app) => {
    const ways: [string, Way, GatewayOptions?][] = [
      ['node:http, for comparison', 'http'],
      ['FastCGI, a connection for each request', 'fastcgi', { keepConn: false, maxIdleConnections: 0 }],
      ['FastCGI, reused connections', 'fastcgi', { maxConnections: 8 }],
      ['FastCGI, multiplexed connections', 'fastcgi', { multiplex: 32, maxConnections: 2 }],
    ]
    for (const [name, way, gateway] of ways) {
      test(name, async () => {
        expect((await errorsOf(app, way, gateway)).map(summaryOf).sort()).toEqual(expected)
      })
    }
  },
)
