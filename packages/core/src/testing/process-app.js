// A program for the tests that are about the process: it serves as its environment says, and tells what happens.
import { serve } from '../../dist/index.js'

await serve((exchange) => {
  console.log('request', exchange.target)
  console.error('a line for stderr')
  if (exchange.target === '/wait') process.once('SIGTERM', answer).once('SIGUSR1', answer)
  else if (exchange.target === '/body') exchange.request.text().then(answer)
  else answer()

  function answer() {
    // Behind whatever else the signal starts.
    setImmediate(() => exchange.end(`pid ${process.pid}`))
  }
})
console.log('listening')
