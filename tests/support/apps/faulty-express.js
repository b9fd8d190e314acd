// An Express app that fails in various ways, for tests/faults.
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { serve } from '@fcgi-bridge/express-adapter'
import express from 'express'
import { Control } from './control.js'
import { serveOptions } from './options.js'

const control = new Control()
const app = express()

app.get('/text', (_req, res) => {
  res.type('text/plain').send('some text\n')
})

app.get('/hold', async (req, res) => {
  const { id } = req.query
  control.send(id, 'held', String(Date.now()))
  await control.waitFor(id, 'continue')
  res.type('text/plain').send(`held until ${Date.now()}\n`)
})

// Unlike /hold, it needs no file.
app.get('/later', async (_req, res) => {
  await setTimeout(1000)
  res.type('text/plain').send('later\n')
})

app.post('/store', async (req, res) => {
  await pipeline(req, createWriteStream(req.query.file))
  res.type('text/plain').send('stored\n')
})

app.get('/print', (_req, res) => {
  process.stdout.write('a line for the log\n')
  console.log('another')
  res.type('text/plain').send('printed\n')
})

app.post('/throw-in-listener', (req) => {
  req.on('data', () => {
    throw new Error('thrown in an event listener')
  })
})

app.get('/reject', () => {
  // Nothing awaits it, so Express does not get the error.
  Promise.reject(new Error('rejected, and not handled'))
})

app.get('/exit', () => {
  process.exit(3)
})

app.get('/respond-and-exit', (_req, res) => {
  res.type('text/plain').send('sent before the exit\n')
  res.on('finish', () => process.exit(3))
})

await serve(app, { ...serveOptions, drainTimeout: 4000 })
