// Loaded with `--import` before a server program: OpenTelemetry with the HTTP instrumentation alone.

// Set before the instrumentations are made. They cannot be disabled later, because NodeSDK enables those it is given.
process.env.OTEL_NODE_ENABLED_INSTRUMENTATIONS = 'http'
await import('./otel.js')
