// Apps that respond in valid and invalid ways. The request selects the way, so that a session is reproducible.

import { setImmediate } from 'node:timers/promises'
import express from 'express'

const LARGE = Buffer.alloc(100_000, 'large ')

/** @param {number} ways @param {string} target @param {string} method */
function wayOf(ways, target, method) {
  let sum = method.length
  for (let i = 0; i < target.length; i++) sum += target.charCodeAt(i)
  return sum % ways
}

// A neighbour's request is echoed.
const isNeighbour = (target) => target.startsWith('/neighbour/')

// ---- the core's exchange ----

const CORE_WAYS = [
  // Reads the whole body, then responds.
  async (exchange) => exchange.end(`${await lengthOf(exchange.stdin)} bytes\n`),
  (exchange) => exchange.end('at once\n'),
  async (exchange) => {
    exchange.writeHead(200, ['content-type', 'text/plain'])
    exchange.flush()
    exchange.write('begun\n')
    exchange.end(`${await lengthOf(exchange.stdin)} bytes\n`)
  },
  () => {
    throw new Error('thrown')
  },
  async (exchange) => {
    await setImmediate()
    exchange.fail('failed')
  },
  async (exchange) => {
    exchange.write('begun\n')
    await setImmediate()
    throw new Error('after the head')
  },
  async (exchange) => {
    exchange.stderr.write('an error message\n'.repeat(100))
    await setImmediate()
    exchange.stderr.write('another\n')
    exchange.end('logged\n')
  },
  (exchange) => exchange.end(LARGE),
  async (exchange) => {
    exchange.onAbort = () => exchange.end('too late')
    for (let i = 0; i < 3; i++) await setImmediate()
    exchange.end(`${exchange.aborted}\n`)
    exchange.end('twice')
  },
  (exchange) => {
    exchange.stdin.read()
    exchange.stdin.discard()
    exchange.data.discard()
    exchange.end(JSON.stringify([exchange.params, exchange.headers, exchange.mount]))
  },
  async (exchange) => {
    const body = await lengthOf(exchange.stdin)
    exchange.end(`${body} bytes of it, ${await lengthOf(exchange.data)} of the file\n`)
  },
]

/** @type {import('@fcgi-bridge/core').Handler} */
export function respond(exchange) {
  if (isNeighbour(exchange.target)) return echo(exchange)
  return CORE_WAYS[wayOf(CORE_WAYS.length, exchange.target, exchange.method)](exchange)
}

async function echo(exchange) {
  const chunks = []
  await lengthOf(exchange.stdin, (chunk) => chunks.push(chunk))
  exchange.end(Buffer.concat([Buffer.from(`${exchange.target} `), ...chunks]))
}

/** @param {import('@fcgi-bridge/core').Input} input @returns {Promise<number>} */
function lengthOf(input, onChunk = (_chunk) => {}) {
  let length = 0
  return new Promise((resolve, reject) => {
    const read = () => {
      for (let chunk = input.read(); chunk !== null; chunk = input.read()) {
        length += chunk.length
        onChunk(chunk)
      }
      if (input.error) reject(input.error)
      else if (input.ended) resolve(length)
    }
    input.onReadable = read
    read()
  })
}

// ---- fetch ----

const FETCH_WAYS = [
  async (request) => new Response(`${(await request.text()).length} characters\n`),
  () => new Response('at once\n'),
  (request) => new Response(request.body),
  (request, context) => Response.json({ ...context.params, headers: [...request.headers] }),
  () => {
    throw new Error('thrown')
  },
  async () => 'no Response',
  (request) => new Response(counting(request.signal)),
  async (request) => {
    await request.body?.cancel()
    return new Response(LARGE)
  },
  () => new Response(new ReadableStream({ pull: () => Promise.reject(new Error('after the head')) })),
  () => new Response(null, { status: 204 }),
]

export function fetch(request, context) {
  const { pathname } = new URL(request.url)
  if (isNeighbour(pathname)) return request.text().then((text) => new Response(`${pathname} ${text}`))
  return FETCH_WAYS[wayOf(FETCH_WAYS.length, request.url, request.method)](request, context)
}

/** @param {Request} request */
export function authorize(request) {
  const response = new Response('no', {
    status: request.url.length % 3 === 0 ? 200 : 401,
    headers: { 'variable-a': 'b' },
  })
  return request.url.length % 2 === 0 || response
}

function counting(signal) {
  let count = 0
  return new ReadableStream({
    async pull(controller) {
      await setImmediate()
      controller.enqueue(Buffer.from(`${count}\n`))
      if (count++ === 5 || signal.aborted) controller.close()
    },
  })
}

// ---- Express ----

const EXPRESS_WAYS = [
  async (request, response) => {
    let length = 0
    for await (const chunk of request) length += chunk.length
    response.send(`${length} bytes\n`)
  },
  (_request, response) => response.send('at once\n'),
  (request, response) => request.on('error', () => response.destroy()).pipe(response),
  express.Router().use(express.json(), express.urlencoded({ extended: true }), (request, response) => {
    response.json(request.body ?? null)
  }),
  (request, response) => response.json([request.headers, request.query, request.fcgi.params, request.ip]),
  () => {
    throw new Error('thrown')
  },
  async (_request, response) => {
    response.write('begun\n')
    await setImmediate()
    throw new Error('after the head')
  },
  (_request, response) => response.send(LARGE),
  (request) => request.destroy(),
  (_request, response) => response.redirect('/elsewhere'),
  (request, response) => {
    request.resume().on('error', () => {})
    setImmediate().then(() => response.status(404).end())
  },
]

export const app = express()
  // Without this, Express prints the errors that the app throws.
  .set('env', 'test')
  .post('/neighbour/*all', express.text({ type: () => true }), (request, response) => {
    response.send(`${request.originalUrl} ${request.body}`)
  })
  .use((request, response, next) => {
    const way = EXPRESS_WAYS[wayOf(EXPRESS_WAYS.length, request.originalUrl, request.method)]
    return way(request, response, next)
  })
