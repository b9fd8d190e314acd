import { ignitor } from './ignitor.js'

await ignitor
  .tap((app) => {
    app.listen('SIGTERM', () => app.terminate())
  })
  .httpServer()
  .start()
