// The routes for tests/support/cases/, as a plain fetch handler.
import { setImmediate } from 'node:timers/promises'
import { serve } from '@fcgi-bridge/fetch-adapter'
import { content, digest, readSlowly } from './content.js'
import { Control } from './control.js'
import { serveOptions } from './options.js'
import { serveFile } from './serve-file.js'

const control = new Control()
const encoder = new TextEncoder()

/** Handlers by the first segment of the path below the mount. */
const routes = {
  async echo({ request, url, context }) {
    const { length, sha256 } = await digest(request.body ?? [])
    return Response.json({
      method: request.method,
      url: url.pathname + url.search,
      mount: context.mount,
      headers: Object.fromEntries(request.headers),
      remoteAddress: context.remoteAddress,
      length,
      sha256,
    })
  },

  text: () =>
    new Response('some text\n', { headers: { 'content-type': 'text/plain', 'content-length': '10' } }),

  form: async ({ request }) => Response.json(Object.fromEntries(await request.formData())),

  json: async ({ request }) => Response.json(await request.json()),

  async files({ request }) {
    const fields = {}
    const files = []
    for (const [field, value] of await request.formData()) {
      if (typeof value === 'string') fields[field] = value
      else
        files.push({
          field,
          name: value.name,
          type: value.type,
          ...(await digest([new Uint8Array(await value.arrayBuffer())])),
        })
    }
    return Response.json({ fields, files })
  },

  digest: async ({ request }) => Response.json(await digest(request.body ?? [])),

  // Reads nothing until the test says so.
  async late({ request, id }) {
    control.send(id, 'held')
    await control.waitFor(id, 'continue')
    return Response.json(await digest(request.body))
  },

  // Responds without reading the body.
  refuse: () => new Response('too large\n', { status: 413, headers: { 'content-type': 'text/plain' } }),

  slow: async ({ request }) => Response.json({ length: await readSlowly(request.body) }),

  length: ({ rest }) =>
    new Response('abcd', { headers: { 'content-type': 'text/plain', 'content-length': rest } }),

  content: ({ rest }) =>
    new Response(ReadableStream.from(content(Number(rest))), {
      headers: { 'content-type': 'application/octet-stream', 'content-length': rest },
    }),

  cookies() {
    const headers = new Headers()
    headers.append('set-cookie', 'first=1; Path=/')
    headers.append('set-cookie', 'second=2; Path=/; HttpOnly')
    headers.append('set-cookie', 'third=3; Expires=Wed, 21 Oct 2099 07:28:00 GMT')
    return new Response('three cookies\n', { headers })
  },

  redirect: ({ rest, url }) =>
    new Response(null, { status: Number(rest), headers: { location: url.searchParams.get('to') } }),

  status: ({ rest }) => new Response(null, { status: Number(rest) }),

  // With a Content-Length. A Response with such a status cannot have a body.
  empty: ({ rest }) =>
    new Response(null, {
      status: Number(rest),
      headers: { 'content-type': 'text/plain', 'content-length': '5' },
    }),

  static: ({ request, rest }) => serveFile(request, new URL(`static/${rest}`, import.meta.url)),

  async stream({ id }) {
    async function* pieces() {
      yield encoder.encode('first\n')
      await control.waitFor(id, 'continue')
      yield encoder.encode('second\n')
    }
    return new Response(ReadableStream.from(pieces()), { headers: { 'content-type': 'text/plain' } })
  },

  events({ id }) {
    let timer
    const events = new ReadableStream({
      start(controller) {
        timer = setInterval(() => controller.enqueue(encoder.encode(`data: ${Date.now()}\n\n`)), 20)
      },
      cancel() {
        clearInterval(timer)
        control.send(id, 'disconnected')
      },
    })
    return new Response(events, {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      },
    })
  },

  async 'late-event'({ url, id }) {
    async function* pieces() {
      await control.waitFor(id, 'continue')
      yield encoder.encode('data: late\n\n')
    }
    return new Response(ReadableStream.from(pieces()), {
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-length': url.searchParams.get('length'),
      },
    })
  },

  async upload({ request, id }) {
    request.signal.addEventListener('abort', () => control.send(id, 'aborted'))
    control.send(id, 'started')
    try {
      const found = await digest(request.body)
      control.send(id, 'complete')
      return Response.json(found)
    } catch (error) {
      control.send(id, 'failed', String(error))
      throw error
    }
  },

  async fail({ rest, id }) {
    if (rest === 'before') throw new Error(`a secret of the app: ${id}`)
    async function* pieces() {
      yield encoder.encode('the beginning\n')
      // The adapter batches data that is available without waiting. It has sent the data after an event loop turn.
      await setImmediate()
      control.send(id, 'started')
      await control.waitFor(id, 'continue')
      throw new Error(`a secret of the app: ${id}`)
    }
    return new Response(ReadableStream.from(pieces()), { headers: { 'content-type': 'text/plain' } })
  },

  // Ends after 4 bytes, after the head and these bytes were sent.
  async short({ rest, id }) {
    async function* pieces() {
      yield encoder.encode('half')
      // The adapter batches data that arrives without waiting, and would respond with a 500.
      await setImmediate()
      control.send(id, 'started')
      await control.waitFor(id, 'continue')
    }
    return new Response(ReadableStream.from(pieces()), {
      headers: { 'content-type': 'text/plain', 'content-length': rest },
    })
  },

  fetched: ({ url }) => globalThis.fetch(url.searchParams.get('from')),

  // The request body is not read.
  async hold({ id }) {
    process.once('SIGTERM', () => control.send(id, 'SIGTERM'))
    control.send(id, 'held', String(process.pid))
    await control.waitFor(id, 'continue')
    return new Response(`held by ${process.pid}\n`, { headers: { 'content-type': 'text/plain' } })
  },
}

async function fetch(request, context) {
  const url = new URL(request.url)
  const [, route, rest] = /^\/([^/]*)\/?(.*)$/s.exec(url.pathname.slice(context.mount.length))
  if (!Object.hasOwn(routes, route)) return new Response('no such route\n', { status: 404 })
  return routes[route]({ request, url, rest, context, id: url.searchParams.get('id') })
}

await serve({ fetch, ...serveOptions })
