import { createServer } from 'node:http'
import { Server } from 'socket.io'

const server = createServer((_request, response) => response.end('not socket.io'))
const io = new Server(server)

io.on('connection', (socket) => {
  socket.emit('welcome', socket.handshake.address)
  socket.on('question', (text, answer) => answer(`you asked ${text}`))
})

server.listen(Number(process.env.PORT ?? 3000))
