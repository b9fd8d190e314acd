import { DatabaseSync } from 'node:sqlite'
import { serve } from '@hono/node-server'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { Hono } from 'hono'

const auth = betterAuth({
  database: new DatabaseSync(':memory:'),
  emailAndPassword: { enabled: true },
  secret: 'a secret of at least thirty-two characters',
  baseURL: 'http://app.test',
  rateLimit: {
    enabled: true,
    window: 60,
    max: 100,
    customRules: { '/sign-in/email': { window: 60, max: 2 } },
  },
})
await (await getMigrations(auth.options)).runMigrations()

const app = new Hono()
app.on(['GET', 'POST'], '/api/auth/*', (context) => auth.handler(context.req.raw))
app.get('/me', async (context) => {
  const session = await auth.api.getSession({ headers: context.req.raw.headers })
  return context.json({ email: session?.user.email ?? null })
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) })
