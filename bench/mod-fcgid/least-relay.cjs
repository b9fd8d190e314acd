// The least that a relay can be in Node: it accepts on descriptor 0, connects to the holder, and pipes both ways. It does not notice that the
// holder has ended, or that a front server ends it.

const { connect, createServer } = require('node:net')

createServer({ allowHalfOpen: true }, (front) => {
  const holder = connect({ path: HOLDER, allowHalfOpen: true })
  front.on('error', () => holder.destroy())
  holder.on('error', () => front.destroy())
  front.pipe(holder).pipe(front)
}).listen({ fd: 0 })
