import { createHash } from 'node:crypto'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { bodyParser } from '@koa/bodyparser'
import Router from '@koa/router'
import Koa from 'koa'
import files from 'koa-static'

const app = new Koa()
const router = new Router()
let disconnects = 0

app.silent = true
app.use(files('public'))
router.get('/', (context) => {
  context.body = '<!doctype html><title>Koa</title>'
})
router.get('/client', (context) => {
  const { ip, protocol, host, href } = context
  context.body = { ip, protocol, host, href }
})
router.post('/form', bodyParser(), (context) => {
  context.cookies.set('name', context.request.body.name)
  context.cookies.set('theme', 'dark', { httpOnly: false })
  context.status = 303
  context.redirect('/hello')
})
router.get('/hello', (context) => {
  context.body = `hello ${context.cookies.get('name')}`
})
router.post('/upload', async (context) => {
  const body = await buffer(context.req)
  context.body = { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') }
})
router.get('/events', (context) => {
  const events = new PassThrough()
  events.write('data: first\n\n')
  const timer = setInterval(() => events.write('data: next\n\n'), 50)
  context.res.on('close', () => {
    clearInterval(timer)
    disconnects++
  })
  context.type = 'text/event-stream'
  context.body = events
})
router.get('/disconnects', (context) => {
  context.body = String(disconnects)
})
router.get('/fail', () => {
  throw new Error('secret')
})
app.use(router.routes()).use(router.allowedMethods())

app.listen(Number(process.env.PORT ?? 3000))
