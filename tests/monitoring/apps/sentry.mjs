// As Sentry's documentation says: loaded with --import before the app.

import * as Sentry from '@sentry/node'

Sentry.init({
  dsn: process.env.SENTRY_DSN,
  tracesSampleRate: 1,
  sendClientReports: false,
  // Its default of 64 drops some of a hundred events at once.
  transportOptions: { bufferSize: 1000 },
})
process.on('SIGTERM', () => Sentry.close(5000))
