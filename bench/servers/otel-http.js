// Loaded with `--import` before a server program: OpenTelemetry with the HTTP instrumentation only.

// Set before the instrumentations are created, because they read it then.
process.env.OTEL_NODE_ENABLED_INSTRUMENTATIONS = 'http'
await import('./otel.js')
