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

/** In place of Elastic's APM server: lines of JSON. */
class ApmServer extends Receiver {
  get transactions(): Transaction[] {
    return this.received
      .filter(({ path }) => path.startsWith('/intake/v2/events'))
      .flatMap(({ body }) => body.toString().split('\n'))
      .filter((line) => line.startsWith('{"transaction"'))
      .map((line) => (JSON.parse(line) as { transaction: Transaction }).transaction)
  }
}

// On Node 22 its loader fails for every program: "The resolveSync() method is not implemented". Without it the agent sees apps that
// load CommonJS modules, as Express is one, and never a Hono app, on node:http neither.
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
      // @hono/node-server makes up a Content-Type.
      headers: {
        ...(context.response.headers as object),
        ...(app === 'hono' && { 'content-type': undefined }),
      },
    })),
  )
  // What CGI does not say: how the connections of the client and of the front server go on.
  return JSON.parse(text, (key, value) => (UNSAID.has(key) ? undefined : value)) as unknown[]
}

const UNSAID = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding'])

test.each(APPS)(
  'Elastic, elastic-apm-node, sees over FastCGI what it sees on node:http (%s)',
  async (app) => {
    const reference = await observe(app, 'http')
    expect((reference[1] as { parent: string }).parent).toBe('b7ad6b7169203331')
    expect(await observe(app, 'fastcgi')).toEqual(reference)
  },
)
