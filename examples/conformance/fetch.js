// The routes as a fetch handler.
import { serve } from '@fcgi-bridge/fetch-adapter'
import { digits, listParams, routeOf, sleep } from './routes.js'

async function respond(request, context) {
  const [route, number] = routeOf(new URL(request.url).pathname)
  const { params, stderr, data } = context
  switch (route) {
    case 'params':
      return new Response(listParams(params))
    case 'body':
      return new Response(await request.arrayBuffer())
    case 'echo':
      return new Response(echo(request.body))
    case 'bytes':
      return new Response(digits(number))
    case 'slow':
      await sleep(number, request.signal)
      return new Response('slow')
    case 'status':
      return new Response(null, { status: number })
    case 'stderr':
      return new Response(bothWays(stderr))
    case 'authorize':
      return new Response(null, { headers: { 'Variable-CONFORMANCE': 'yes' } })
    case 'data':
      await request.arrayBuffer()
      return new Response(data)
    case 'exit':
    case 'hints':
      // A Response has no application status and no interim responses.
      return new Response(null, { status: 501 })
    default:
      return new Response(null, { status: 404 })
  }
}

function echo(body) {
  return ReadableStream.from(
    (async function* () {
      yield Buffer.from('begun\n')
      if (body) yield* body
    })(),
  )
}

function bothWays(stderr) {
  return ReadableStream.from(
    (async function* () {
      for (let i = 0; i < 100; i++) {
        stderr.write(`err ${i}\n`)
        yield Buffer.from(`out ${i}\n`)
      }
    })(),
  )
}

await serve({ fetch: respond, authorize: respond })
