// A CGI program for tests. REQUEST_URI selects what it does.
import { execFileSync } from 'node:child_process'
import { serve } from '../../dist/index.js'

async function read(stdin) {
  let length = 0
  for await (const chunk of stdin) length += chunk.length
  return length
}

const routes = {
  '/status': (exchange) => {
    exchange.appStatus = 42
    exchange.end('response')
  },
  '/param': (exchange) => exchange.end(Buffer.from(exchange.params.BYTES, 'latin1').toString('hex')),
  '/environment': (exchange) => {
    const child = execFileSync('sh', ['-c', 'echo -n "$HTTP_PROXY"'], { encoding: 'utf8' })
    exchange.end(JSON.stringify({ own: process.env.HTTP_PROXY ?? null, child }))
  },
  '/length': async (exchange) => exchange.end(String(await read(exchange.request.body ?? []))),
  '/printing': (exchange) => {
    console.log('printed with console.log')
    process.stdout.write('written to process.stdout\n')
    exchange.end('response')
  },
  '/early': (exchange) => exchange.end('early'),
  '/large': (exchange) => exchange.end(Buffer.alloc(8_000_000, 'large ')),
  '/error': () => {
    throw new Error('before the head')
  },
  '/cut': (exchange) => {
    exchange.write('half')
    setImmediate(() => exchange.fail(new Error('after the head')))
  },
  '/wait': (exchange) => {
    const work = setInterval(() => {}, 1000)
    exchange.onAbort = ({ code }) => {
      clearInterval(work)
      console.error(`aborted: ${code}`)
    }
    exchange.write('begun')
  },
}

// The long drainTimeout makes the tests hang if the program waits for it.
await serve((exchange) => routes[exchange.target](exchange), { drainTimeout: 1_000_000 })
