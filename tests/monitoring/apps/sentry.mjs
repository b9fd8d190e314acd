// Loaded with --import before the app, as in Sentry's documentation.

import * as Sentry from '@sentry/node'

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  tracesSampleRate: 1,
  sendClientReports: false,
  // The default of 64 drops some of a hundred concurrent events.
  transportOptions: { bufferSize: 1000 },
})
process.on('SIGTERM', () => Sentry.close(5000))
