// A program for tests of processes. It serves as its environment says, and prints what happens.
import { serve } from '../../dist/index.js'

await serve((exchange) => {
  console.log('request', exchange.target)
  console.error('a line for stderr')
  if (exchange.target === '/wait') process.once('SIGTERM', respond).once('SIGUSR1', respond)
  else if (exchange.target === '/body') exchange.request.text().then(respond)
  else respond()

  function respond() {
    // Respond after the server's own signal handler.
    setImmediate(() => exchange.end(`pid ${process.pid}`))
  }
})
console.log('listening')
