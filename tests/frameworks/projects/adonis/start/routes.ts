import { PassThrough } from 'node:stream'
import router from '@adonisjs/core/services/router'

let disconnects = 0

router.get('/', ({ response }) => response.type('html').send('<!doctype html><title>AdonisJS</title>'))
router.get('/client', ({ request }) => ({
  ip: request.ip(),
  protocol: request.protocol(),
  host: request.host(),
  url: request.completeUrl(true),
}))
router.post('/form', ({ request, response }) => {
  response.plainCookie('name', request.input('name'), { encode: false })
  response.plainCookie('theme', 'dark', { encode: false, httpOnly: true })
  return response.redirect().status(303).toPath('/hello')
})
router.get('/hello', ({ request }) => `hello ${request.plainCookie('name', { encoded: false })}`)
router.post('/upload', ({ request }) => {
  const file = request.file('file', { size: '10mb' })!
  return { name: file.clientName, bytes: file.size }
})
router.get('/events', ({ response }) => {
  const events = new PassThrough()
  events.write('data: first\n\n')
  const timer = setInterval(() => events.write('data: next\n\n'), 50)
  response.response.on('close', () => {
    clearInterval(timer)
    disconnects++
  })
  response.header('content-type', 'text/event-stream')
  return response.stream(events)
})
router.get('/disconnects', () => String(disconnects))
router.get('/fail', () => {
  throw new Error('secret')
})
