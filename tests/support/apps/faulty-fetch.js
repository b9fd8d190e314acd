// A fetch handler that fails in various ways, for tests/faults.
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import { serve } from '@fcgi-bridge/fetch-adapter'
import { Control } from './control.js'
import { serveOptions } from './options.js'

const control = new Control()

const routes = {
  '/text': () => new Response('some text\n'),

  async '/hold'({ id }) {
    control.send(id, 'held', String(Date.now()))
    await control.waitFor(id, 'continue')
    return new Response(`held until ${Date.now()}\n`)
  },

  // Unlike /hold, it needs no file.
  async '/later'() {
    await setTimeout(1000)
    return new Response('later\n')
  },

  async '/store'({ request, file }) {
    await pipeline(Readable.fromWeb(request.body), createWriteStream(file))
    return new Response('stored\n')
  },

  '/print'() {
    process.stdout.write('a line for the log\n')
    console.log('another')
    return new Response('printed\n')
  },

  '/throw-in-listener'({ request }) {
    Readable.fromWeb(request.body).on('data', () => {
      throw new Error('thrown in an event listener')
    })
    return new Promise(() => {})
  },

  '/reject'() {
    // Nothing awaits it, so the request does not get the error.
    Promise.reject(new Error('rejected, and not handled'))
    return new Promise(() => {})
  },

  '/exit': () => process.exit(3),
}

function fetch(request, context) {
  const { pathname, searchParams } = new URL(request.url)
  return routes[pathname]({ request, context, ...Object.fromEntries(searchParams) })
}

await serve({ fetch, ...serveOptions, drainTimeout: 4000 })
