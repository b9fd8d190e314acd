import * as express5 from 'express'
import * as express4 from 'express4'

const frameworks = { express4: express4.default, express5: express5.default }

/**
 * The Express app that all Express servers serve.
 * @param {'express4' | 'express5'} version
 */
export function createApp(version) {
  const express = frameworks[version]
  const app = express()
  app.get('/', (_req, res) => {
    res.send('Hello, world!')
  })
  app.post('/json', express.json(), (req, res) => {
    const { items } = req.body
    res.json({ count: items.length, first: items[0] })
  })
  return app
}
