import { expect, onTestFinished, test } from 'vitest'
import { Receiver } from './receiver.ts'
import { ask, requests, startApp, type Way } from './watched.ts'

interface Transaction {
  name: string
  type: string
  result: string
  outcome: string
  trace_id: string
  parent_id?: string
  context: { request: Record<string, unknown>; response: Record<string, unknown> }
}

/** Replaces Elastic's APM server. It receives lines of JSON. */
class ApmServer extends Receiver {
  get transactions(): Transaction[] {
    return this.received
      .filter(({ path }) => path.startsWith('/intake/v2/events'))
      .flatMap(({ body }) => body.toString().split('\n'))
      .filter((line) => line.startsWith('{"transaction"'))
      .map((line) => (JSON.parse(line) as { transaction: Transaction }).transaction)
  }
}

// On Node 22 the agent's loader fails for every program: "The resolveSync() method is not implemented". Without the
// loader, the agent instruments apps that load CommonJS modules, such as Express apps, but no Hono app, even on
// node:http.
const hasLoader = !process.version.startsWith('v22.')
const LOADER = hasLoader ? ['--experimental-loader=elastic-apm-node/loader.mjs'] : []
const APPS = ['express', 'fastify', 'koa', ...(hasLoader ? ['hono'] : [])]

async function observe(app: string, way: Way): Promise<unknown[]> {
  const server = new ApmServer()
  const url = await server.listen()
  onTestFinished(() => server.close())
  const watched = await startApp(app, way, ['--require', 'elastic-apm-node/start.js', ...LOADER], {
    ELASTIC_APM_SERVER_URL: url,
    ELASTIC_APM_SERVICE_NAME: 'app',
    ELASTIC_APM_API_REQUEST_TIME: '1s',
    ELASTIC_APM_CENTRAL_CONFIG: 'false',
    ELASTIC_APM_CLOUD_PROVIDER: 'none',
    ELASTIC_APM_METRICS_INTERVAL: '0s',
    ELASTIC_APM_LOG_LEVEL: 'off',
    NODE_NO_WARNINGS: '1',
  })
  for (const request of requests) await ask(watched.port, request)
  const transactions = await server.until(() => {
    const { transactions } = server
    return transactions.length >= requests.length ? transactions : undefined
  })
  const text = JSON.stringify(
    transactions.map(({ name, type, result, outcome, parent_id, context }) => ({
      name,
      type,
      result,
      outcome,
      parent: parent_id,
      request: context.request,
      status: context.response.status_code,
      // @hono/node-server adds a Content-Type.
      headers: {
        ...(context.response.headers as object),
        ...(app === 'hono' && { 'content-type': undefined }),
      },
    })),
  )
  // CGI has no information about the further use of the connections of the client and the front server.
  return JSON.parse(text, (key, value) => (UNSAID.has(key) ? undefined : value)) as unknown[]
}

const UNSAID = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding'])

test.each(APPS)(
  'Elastic (elastic-apm-node) reports the same over FastCGI as on node:http (%s)',
  async (app) => {
    const reference = await observe(app, 'http')
    expect((reference[1] as { parent: string }).parent).toBe('b7ad6b7169203331')
    expect(await observe(app, 'fastcgi')).toEqual(reference)
  },
)
