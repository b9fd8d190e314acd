import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { makeCertificate } from '../support/fronts/certificate.ts'
import { Site } from '../support/fronts/site.ts'
import { type Received, Receiver } from './receiver.ts'
import { ask, requests, startApp, type Way } from './watched.ts'

// The replies of New Relic's collector that its agent needs.
function reply({ path }: Received, port: number): string {
  const method = new URL(path, 'https://collector').searchParams.get('method')
  if (method === 'preconnect') return JSON.stringify({ return_value: { redirect_host: `localhost:${port}` } })
  if (method === 'connect') {
    return JSON.stringify({
      return_value: {
        agent_run_id: '1',
        entity_guid: 'guid',
        account_id: '1',
        primary_application_id: '2',
        trusted_account_key: '1',
        data_report_period: 1,
        event_harvest_config: {
          report_period_ms: 500,
          harvest_limits: {
            analytic_event_data: 100,
            error_event_data: 100,
            custom_event_data: 100,
            log_event_data: 100,
          },
        },
      },
    })
  }
  return JSON.stringify({ return_value: [] })
}

type Attributes = Record<string, unknown>

/** Replaces New Relic's collector. The agent connects to it only over TLS. */
class Collector extends Receiver {
  /** The analytic event of each transaction: its intrinsic, the user's and the agent's attributes. */
  get transactions(): [Attributes, Attributes, Attributes][] {
    return this.received
      .filter(({ path }) => path.includes('method=analytic_event_data'))
      .flatMap(
        ({ body }) =>
          (JSON.parse(body.toString()) as [string, object, [Attributes, Attributes, Attributes][]])[2],
      )
  }
}

async function observe(app: string, way: Way): Promise<unknown[]> {
  const site = new Site()
  onTestFinished(() => site.stop())
  const { cert, key } = makeCertificate(site)
  const collector: Collector = new Collector((received) => reply(received, collector.port), {
    cert: readFileSync(cert),
    key: readFileSync(key),
  })
  await collector.listen()
  onTestFinished(() => collector.close())
  const watched = await startApp(app, way, ['--import', 'newrelic/esm-loader.mjs', '--require', 'newrelic'], {
    NEW_RELIC_APP_NAME: 'app',
    NEW_RELIC_LICENSE_KEY: '0123456789012345678901234567890123456789',
    NEW_RELIC_HOST: 'localhost',
    NEW_RELIC_PORT: String(collector.port),
    NEW_RELIC_LOG_ENABLED: 'false',
    NEW_RELIC_UTILIZATION_DETECT_AWS: 'false',
    NEW_RELIC_UTILIZATION_DETECT_AZURE: 'false',
    NEW_RELIC_UTILIZATION_DETECT_AZUREFUNCTION: 'false',
    NEW_RELIC_UTILIZATION_DETECT_GCP: 'false',
    NEW_RELIC_UTILIZATION_DETECT_PCF: 'false',
    NEW_RELIC_UTILIZATION_DETECT_KUBERNETES: 'false',
    NEW_RELIC_UTILIZATION_DETECT_DOCKER: 'false',
    NODE_EXTRA_CA_CERTS: cert,
    NODE_NO_WARNINGS: '1',
  })
  await collector.until(() => collector.received.find(({ path }) => path.includes('method=agent_settings')))
  for (const request of requests) await ask(watched.port, request)
  const transactions = await collector.until(() =>
    collector.transactions.length >= requests.length ? collector.transactions : undefined,
  )
  return (
    transactions
      .map(([{ name, error, 'parent.type': parent, parentSpanId }, , attributes]) => {
        const rest = { ...attributes }
        // The gateway does not forward the hop-by-hop header Connection. On HTTP, @hono/node-server adds a Content-Type.
        delete rest['request.headers.connection']
        if (app === 'hono') delete rest['response.headers.contentType']
        return { name, error, parent, parentSpanId, attributes: rest }
      })
      // The agent sends them in any order.
      .sort((a, b) => uriOf(a).localeCompare(uriOf(b)))
  )
}

function uriOf({ attributes }: { attributes: Attributes }): string {
  return String(attributes['request.uri'])
}

test.each(['express', 'koa', 'hono'])(
  'New Relic (newrelic) reports the same over FastCGI as on node:http (%s)',
  async (app) => {
    const reference = await observe(app, 'http')
    expect(reference).toHaveLength(requests.length)
    expect(await observe(app, 'fastcgi')).toEqual(reference)
  },
)
