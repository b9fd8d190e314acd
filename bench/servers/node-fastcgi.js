// The handler of servers/http.js on node-fastcgi.

import fastcgi from 'node-fastcgi'
import { HEADERS, TEXT } from '../apps/hello.js'
import { address, ready } from './program.js'

fastcgi
  .createServer((_request, response) => {
    response.writeHead(200, HEADERS)
    response.end(TEXT)
  })
  .listen(address, ready)
