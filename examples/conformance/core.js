// The routes as a handler of @fcgi-bridge/core, in all three roles.
import { buffer } from 'node:stream/consumers'
import { createBody, serve } from '@fcgi-bridge/core'
import { digits, listParams, routeOf, sleep } from './routes.js'

const TEXT = ['Content-Type', 'text/plain']

async function respond(exchange) {
  const [route, number] = routeOf(exchange.target)
  switch (route) {
    case 'params':
      exchange.writeHead(200, TEXT)
      exchange.end(listParams(exchange.params))
      break
    case 'body': {
      const body = await buffer(createBody(exchange.stdin))
      exchange.writeHead(200, TEXT)
      exchange.end(body)
      break
    }
    case 'echo':
      exchange.writeHead(200, TEXT)
      exchange.write('begun\n')
      for await (const chunk of createBody(exchange.stdin)) exchange.write(chunk)
      exchange.end()
      break
    case 'bytes':
      exchange.writeHead(200, TEXT)
      exchange.end(digits(number))
      break
    case 'slow':
      await sleep(number, exchange.signal)
      exchange.writeHead(200, TEXT)
      exchange.end('slow')
      break
    case 'status':
      exchange.writeHead(number)
      exchange.end()
      break
    case 'stderr':
      for (let i = 0; i < 100; i++) {
        exchange.write(`out ${i}\n`)
        exchange.stderr.write(`err ${i}\n`)
      }
      exchange.end()
      break
    case 'exit':
      exchange.appStatus = number
      exchange.end('exit')
      break
    case 'authorize':
      exchange.writeHead(200, ['Variable-CONFORMANCE', 'yes'])
      exchange.end()
      break
    case 'data':
      await buffer(createBody(exchange.stdin))
      exchange.end(await buffer(createBody(exchange.data)))
      break
    case 'hints':
      // core has no interim responses.
      exchange.writeHead(501)
      exchange.end()
      break
    default:
      exchange.writeHead(404)
      exchange.end()
  }
}

await serve({ responder: respond, authorizer: respond, filter: respond })
