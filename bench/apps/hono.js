import { Hono } from 'hono'

/** The Hono app that all fetch servers serve. */
export const app = new Hono()

app.get('/', (c) => c.text('Hello, world!'))

app.post('/json', async (c) => {
  const { items } = await c.req.json()
  return c.json({ count: items.length, first: items[0] })
})
