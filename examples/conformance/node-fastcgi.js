// The routes on node-fastcgi, another FastCGI server for Node. The argument is the port or path to listen on.
import { buffer } from 'node:stream/consumers'
import fastcgi from 'node-fastcgi'
import { digits, listParams, routeOf, sleep } from './routes.js'

async function respond(request, response) {
  const [route, number] = routeOf(request.url)
  switch (route) {
    case 'params':
      response.end(listParams(request.socket.params))
      break
    case 'body':
      response.end(await buffer(request))
      break
    case 'echo':
      response.write('begun\n')
      request.pipe(response)
      break
    case 'bytes':
      response.end(digits(number))
      break
    case 'slow':
      await sleep(number)
      response.end('slow')
      break
    case 'status':
      response.writeHead(number)
      response.end()
      break
    case 'stderr':
      for (let i = 0; i < 100; i++) {
        response.write(`out ${i}\n`)
        request.socket.errorStream.write(`err ${i}\n`)
      }
      response.end()
      break
    case 'authorize':
      response.setVariable('CONFORMANCE', 'yes')
      response.end()
      break
    case 'data':
      await buffer(request)
      response.end(await buffer(request.data))
      break
    case 'hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      response.end('hints')
      break
    case 'exit':
      response.writeHead(501)
      response.end()
      break
    default:
      response.writeHead(404)
      response.end()
  }
}

const [port] = process.argv.slice(2)
fastcgi.createServer(respond, respond, respond).listen(port)
