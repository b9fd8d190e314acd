// Responds after the work that the query asks for: `?iterations=40000`. Default: none.

import { pbkdf2Sync } from 'node:crypto'
import express from 'express'

const app = express()
app.disable('x-powered-by')
app.get('/', (req, res) => {
  const iterations = Number(req.query.iterations ?? 0)
  if (iterations > 0) pbkdf2Sync('password', 'salt', iterations, 32, 'sha256')
  res.send('Hello, world!')
})

export default app
