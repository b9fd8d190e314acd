// Responds after the work that the query asks for: `?iterations=40000`. Default: none.

import { pbkdf2Sync } from 'node:crypto'
import { Hono } from 'hono'

const app = new Hono()
app.get('/', (context) => {
  const iterations = Number(context.req.query('iterations') ?? 0)
  if (iterations > 0) pbkdf2Sync('password', 'salt', iterations, 32, 'sha256')
  return context.text('Hello, world!')
})

export default app
