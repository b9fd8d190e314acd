// Serves a fetch handler over HTTP.
import { serve } from '@hono/node-server'

const { default: app } = await import(process.argv[2])
serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) })
