// Loaded with `--import` before a server program: OpenTelemetry as an app sets it up. `?http` in the URL of this module takes
// the HTTP instrumentation alone, and otherwise all that auto-instrumentations-node brings are on.

import { getNodeAutoInstrumentations } from '@opentelemetry/auto-instrumentations-node'
import { NodeSDK, tracing } from '@opentelemetry/sdk-node'

// Read when the instrumentations are made: each enables itself then.
if (new URL(import.meta.url).search === '?http') process.env.OTEL_NODE_ENABLED_INSTRUMENTATIONS = 'http'

// Sending spans costs the same on both sides, and would hide the difference.
const exporter = {
  export: (_spans, done) => done({ code: 0 }),
  shutdown: () => Promise.resolve(),
}

new NodeSDK({
  serviceName: 'bench',
  instrumentations: getNodeAutoInstrumentations(),
  spanProcessors: [new tracing.BatchSpanProcessor(exporter)],
  metricReaders: [],
  logRecordProcessors: [],
}).start()
