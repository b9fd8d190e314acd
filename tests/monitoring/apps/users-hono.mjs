import { setImmediate, setTimeout } from 'node:timers/promises'
import * as Sentry from '@sentry/node'
import { Hono } from 'hono'
import { serveFetch } from './serve.mjs'

const app = new Hono()
app.all('/user/:id', async (context) => {
  const id = context.req.param('id')
  Sentry.setUser({ id })
  Sentry.setTag('user', id)
  if (context.req.method === 'POST') await context.req.json()
  await setImmediate()
  // Other requests run in the meantime.
  await setTimeout(Math.random() * 30)
  throw new Error(`broken for ${id}`)
})
app.onError((error, context) => {
  Sentry.captureException(error)
  return context.text('failed', 500)
})
await serveFetch(app)
