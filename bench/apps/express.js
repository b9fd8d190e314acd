import { pipeline } from 'node:stream'
import express5 from 'express'
import express4 from 'express4'
import { bytes, nodeStream } from './bodies.js'

const frameworks = { express4, express5 }

/**
 * The app of all Express servers.
 * @param {string} version `express4` or `express5`.
 */
export function createApp(version) {
  if (version !== 'express4' && version !== 'express5') throw new Error(`Unknown Express version: ${version}`)
  const express = frameworks[version]
  const app = express()

  app.get('/', (_req, res) => {
    res.send('Hello, world!')
  })

  app.post('/json', express.json(), (req, res) => {
    const { items } = req.body
    res.json({ count: items.length, first: items[0] })
  })

  app.get('/bytes/:length', (req, res) => {
    res.send(bytes(Number(req.params.length)))
  })

  app.get('/download/:length', (req, res, next) => {
    const { length } = req.params
    res.set('Content-Length', length)
    pipeline(nodeStream(Number(length)), res, (error) => error && next(error))
  })

  app.post('/upload', (req, res) => {
    let length = 0
    req.on('data', (chunk) => {
      length += chunk.length
    })
    req.on('end', () => res.json({ length }))
  })

  return app
}
