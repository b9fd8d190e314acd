// Reports what Express and its body parsers read from a request. Runs on the adapter, and on node:http as the
// reference.
import express from 'express'
import { digest } from './content.js'

/** Parses JSON and forms, reads what the parsers left, and responds with all of it. */
export function parsed() {
  const app = express()
  app.use((req, _res, next) => {
    req.verified = 0
    next()
  })
  app.use(
    express.json({
      verify(req) {
        req.verified++
      },
    }),
    express.urlencoded(),
  )
  app.use(async (req, res) => {
    const body = req.body === undefined ? 'undefined' : req.body
    const { length } = await digest(req)
    res.json({
      method: req.method,
      headers: req.headers,
      is: req.is('json'),
      body,
      verified: req.verified,
      length,
    })
  })
  return app
}
