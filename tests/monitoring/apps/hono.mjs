import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import { serveFetch } from './serve.mjs'

const app = new Hono()
app.get('/hello/:name', (context) => context.text(`hello ${context.req.param('name')}`))
app.post('/items', async (context) => {
  await context.req.json()
  return context.text('made', 201)
})
app.get('/stream', (context) =>
  stream(context, async (output) => {
    await output.write('one,')
    await new Promise(setImmediate)
    await output.write('two')
  }),
)
app.get('/fails', () => {
  throw new Error('broken')
})
app.onError((_error, context) => context.text('failed', 500))
await serveFetch(app)
