import Fastify from 'fastify'

const app = Fastify()

app.get('/', () => 'Hello, world!')

export default app
