import { parseArgs } from 'node:util'
import { main } from '../scripts/lib/run.js'
import { expressCases } from './cases/express.js'
import { fetchCases } from './cases/fetch.js'
import { hello } from './cases/hello.js'
import { measure } from './lib/measure.js'

const FULL = { launches: 2, rounds: 6, milliseconds: 500, warmUpRequests: 30_000, warmUpMilliseconds: 4000 }
const QUICK = { launches: 1, rounds: 5, milliseconds: 300, warmUpRequests: 20_000, warmUpMilliseconds: 3000 }

await main(async () => {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      tcp: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      node: { type: 'string', default: process.execPath },
    },
  })
  const pace = values.quick ? QUICK : FULL
  const cases = [hello, ...fetchCases, ...expressCases].filter(({ name }) =>
    new RegExp(values.only).test(name),
  )
  for (const case_ of cases) {
    for (const row of await measure(
      case_,
      { node: values.node, nodeMajor: 20, transport: values.tcp ? 'tcp' : 'unix' },
      pace,
    )) {
      const f = (s, d) => `${s.median.toFixed(d)} (${s.low.toFixed(d)}–${s.high.toFixed(d)})`
      console.log(
        `${row.name}: ${f(row.ratio, 3)} bar ${row.bar} | ${f(row.cpu, 1)} vs ${f(row.peerCpu, 1)} µs | ${f(row.rate, 0)} vs ${f(row.peerRate, 0)} | gen ${row.generatorBusy.toFixed(2)}`,
      )
    }
  }
})
