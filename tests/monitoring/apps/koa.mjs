import { PassThrough } from 'node:stream'
import Koa from 'koa'
import { serveListener } from './serve.mjs'

const koa = new Koa()
koa.silent = true
koa.use(async function respond(context) {
  if (context.path === '/fails') throw new Error('broken')
  if (context.path === '/stream') {
    const body = new PassThrough()
    context.body = body
    body.write('one,')
    setImmediate(() => body.end('two'))
  } else if (context.method === 'POST') {
    context.req.resume()
    context.status = 201
    context.body = 'made'
  } else context.body = `hello ${context.path.split('/').at(-1)}`
})
await serveListener(koa.callback())
