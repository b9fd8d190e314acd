// A program that listens for HTTP. Nothing in it refers to FastCGI.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost')
  if (pathname === '/events') {
    sendEvents(response)
    return
  }
  const name = /^\/hello\/([^/]+)$/.exec(pathname)?.[1]
  response.writeHead(name === undefined ? 404 : 200, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(name === undefined ? 'Not found\n' : `Hello, ${decodeURIComponent(name)}!\n`)
})

server.listen(process.env.PORT ?? 3000, () => {
  console.log(`Listening on port ${server.address().port}`)
})

function sendEvents(response) {
  let count = 0
  const send = () => response.write(`data: ${++count}\n\n`)
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  send()
  const timer = setInterval(send, 1000)
  response.on('close', () => clearInterval(timer))
}
