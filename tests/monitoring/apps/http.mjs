import { serveListener } from './serve.mjs'

await serveListener((request, response) => {
  const { pathname } = new URL(request.url, 'http://app')
  if (pathname === '/fails') response.writeHead(500).end('failed')
  else if (pathname === '/stream') {
    response.write('one,')
    setImmediate(() => response.end('two'))
  } else if (request.method === 'POST') {
    request.resume().on('end', () => response.writeHead(201, { 'Content-Type': 'text/plain' }).end('made'))
  } else response.end(`hello ${pathname.split('/').at(-1)}`)
})
