import { createServer } from 'node:http'
import next from 'next'

const port = Number(process.env.PORT ?? 3000)
const app = next({ dev: false, hostname: 'localhost', port })
const handle = app.getRequestHandler()

await app.prepare()
createServer((request, response) => handle(request, response)).listen(port)
