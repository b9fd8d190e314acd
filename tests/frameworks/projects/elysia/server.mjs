import { node } from '@elysiajs/node'
import { staticPlugin } from '@elysiajs/static'
import { Elysia, sse, t } from 'elysia'

let disconnects = 0

new Elysia({ adapter: node() })
  .use(await staticPlugin({ prefix: '/' }))
  .get(
    '/',
    () => new Response('<!doctype html><title>Elysia</title>', { headers: { 'content-type': 'text/html' } }),
  )
  .get('/client', ({ request }) => ({ url: request.url }))
  .post(
    '/form',
    ({ body, cookie, set }) => {
      cookie.name.value = body.name
      cookie.theme.value = 'dark'
      set.status = 303
      set.headers.location = '/hello'
      return ''
    },
    { body: t.Object({ name: t.String() }) },
  )
  .get('/hello', ({ cookie }) => `hello ${cookie.name.value}`)
  .post('/upload', async ({ body }) => ({ name: body.file.name, bytes: body.file.size }), {
    body: t.Object({ file: t.File() }),
  })
  .get('/events', async function* ({ request }) {
    request.signal.addEventListener('abort', () => disconnects++)
    yield sse('first')
    while (!request.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      yield sse('next')
    }
  })
  .get('/disconnects', () => String(disconnects))
  .get('/fail', () => {
    throw new Error('wrong')
  })
  .listen(Number(process.env.PORT ?? 3000))
