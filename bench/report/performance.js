// docs/performance.md has the figures for readers who decide whether to use this project. RESULTS.md is for the project's engineers.

import { mib, micro, moment, thousand } from './format.js'

/** @typedef {import('../cases/index.js').Result} Result */

/**
 * The rows of the table. `express` and `fetch` are the names of results. `cells` returns this project's figure and the peer's.
 * @typedef {{ title: string, express?: string, fetch?: string, cells: (result: any) => string[] }} Row
 * @type {Row[]}
 */
const ROWS = [
  {
    title: 'GET, CPU per request (µs)',
    express: 'Express 5 res.send / node:http',
    fetch: 'Hono text / @hono/node-server',
    cells: cpu,
  },
  {
    title: 'GET, requests per second',
    express: 'Express 5 res.send / node:http',
    fetch: 'Hono text / @hono/node-server',
    cells: rate,
  },
  {
    title: 'POST of 1 KiB JSON, CPU per request (µs)',
    express: 'Express 5 POST 1 KiB JSON / node:http',
    fetch: 'Hono POST 1 KiB JSON / @hono/node-server',
    cells: cpu,
  },
  {
    title: 'POST of 1 KiB JSON, requests per second',
    express: 'Express 5 POST 1 KiB JSON / node:http',
    fetch: 'Hono POST 1 KiB JSON / @hono/node-server',
    cells: rate,
  },
  {
    title: 'GET through nginx, CPU of nginx and app (µs)',
    express: 'Express 5 res.send through nginx / proxy_pass',
    fetch: 'Hono text through nginx / proxy_pass',
    cells: cpu,
  },
  {
    title: 'GET through nginx, requests per second',
    express: 'Express 5 res.send through nginx / proxy_pass',
    fetch: 'Hono text through nginx / proxy_pass',
    cells: rate,
  },
  {
    title: 'response of 256 KiB, CPU per request (µs)',
    express: 'Express 5, 256 KiB / the same over HTTP',
    fetch: 'Hono, 256 KiB / the same over HTTP',
    cells: cpu,
  },
  {
    title: 'download of 1 GiB, MiB/s',
    express: 'Express 5, download of 1 GiB / the same over HTTP',
    fetch: 'Hono, download of 1 GiB / the same over HTTP',
    cells: transferRate,
  },
  {
    title: 'upload of 1 GiB, MiB/s',
    express: 'Express 5, upload of 1 GiB / the same over HTTP',
    fetch: 'Hono, upload of 1 GiB / the same over HTTP',
    cells: transferRate,
  },
  {
    title: 'p50 / p99 at half the HTTP server’s capacity (ms)',
    express: 'Express 5 res.send / node:http',
    fetch: 'Hono text / @hono/node-server',
    cells: latency,
  },
  {
    title: 'start until it listens (ms)',
    express: 'Express 5 / node:http',
    fetch: 'Hono / @hono/node-server',
    cells: ({ peerTime, time }) => [time.median.toFixed(0), peerTime.median.toFixed(0)],
  },
  {
    title: 'memory after the start, resident (MiB)',
    express: 'Express 5 / node:http',
    fetch: 'Hono / @hono/node-server',
    cells: ({ memory, peerMemory }) => [mib(memory.median), mib(peerMemory.median)],
  },
  {
    title: 'one request of plain CGI, with the start of Node (ms)',
    express: 'Express 5, one request of plain CGI / start on node:http',
    fetch: 'Hono, one request of plain CGI / start on node:http',
    cells: ({ peerTime, time }) => [time.median.toFixed(0), peerTime.median.toFixed(0)],
  },
]

/** @param {Row['cells']} cells */
function typeOf(cells) {
  if (cells === cpu || cells === rate) return ['ratio']
  if (cells === transferRate) return ['transfer']
  return cells === latency ? ['latency'] : ['startup', 'cgi']
}

/**
 * Returns the text of docs/performance.md. Rows that were not measured on the newest Node of the results are left out.
 * @param {import('./results.js').Results} results
 */
export function performancePage({ environment, results }) {
  const node = newest(results.map((result) => result.node))
  const on = results.filter((result) => result.node === node && result.transport === 'unix')
  const { cores, cpu, memory, system } = environment
  const shown = ROWS.flatMap((row) => resultsOf(row, on)).filter((result) => result !== undefined)
  return `# Performance

What a request and a start cost in CPU, time and memory. Lower is better, except for requests and MiB per second. Each app is compared with the
same app on an HTTP server.

Node ${node}, ${cpu}, ${cores} cores, ${Math.round(memory / 1024 ** 3)} GiB, ${system}. Measured ${whenMeasured(shown, environment)}.

| | Express 5 | the same on node:http | Hono | the same on @hono/node-server |
| --- | --- | --- | --- | --- |
${ROWS.flatMap((row) => tableRow(row, on)).join('\n')}

## Reproduce the figures

\`\`\`sh
npm run setup
npm run bench -- --quick    # prints the main rows in a few minutes
npm run bench               # measures everything, and writes this page and bench/RESULTS.md
\`\`\`

The benchmark needs Linux, two cores, and no other load. [bench/README.md](../bench/README.md) describes each figure and how it is measured.
[bench/RESULTS.md](../bench/RESULTS.md) has all rows, with their spread, their targets, and those that are missed.

## Limits of the figures

- **Your app.** The apps here do nothing else. If a request waits for a database, the server accounts for little of its time on both sides.
- **Differences below 5 %.** Two runs of the same program differ by that much.
- **Other machines.** Microseconds depend on the processor. The ratio of two columns depends on it much less.
- **The network.** Both sides listen on Unix sockets, with connections that are kept. TCP costs more on both sides, and brings the ratios closer to 1.
- **The front server.** In rows without "through nginx", the load generator connects to the app directly. In production there is always a
  front server. It costs the same on both sides.
`
}

/** Rows can be measured separately. @param {import('./results.js').Measured[]} shown @param {import('./results.js').Taken} fullRun */
function whenMeasured(shown, fullRun) {
  const text = ({ commit, date }) => `${moment(date)}, commit ${commit}`
  const times = shown.map(({ taken = fullRun }) => taken).toSorted((a, b) => a.date.localeCompare(b.date))
  const [first = fullRun, last = fullRun] = [times[0], times.at(-1)]
  return first.date === last.date ? text(first) : `from ${text(first)}, to ${text(last)}`
}

/** @param {Row} row @param {import('./results.js').Measured[]} results */
function tableRow(row, results) {
  const found = resultsOf(row, results)
  if (found.every((result) => result === undefined)) return []
  const texts = found.flatMap((result) => (result === undefined ? ['–', '–'] : row.cells(result)))
  return [`| ${[row.title, ...texts].join(' | ')} |`]
}

/** The results of a row: of Express and of Hono. @param {Row} row @param {import('./results.js').Measured[]} results */
function resultsOf({ cells, express, fetch }, results) {
  const types = typeOf(cells)
  return [express, fetch].map((title) =>
    results.find(({ name, type }) => name === title && types.includes(type)),
  )
}

/** @param {string[]} versions */
function newest(versions) {
  const major = (version) => Number.parseInt(version.slice(1), 10)
  return versions.reduce((best, version) => (major(version) > major(best) ? version : best))
}

function cpu({ cpu, peerCpu }) {
  return [micro(cpu.median), micro(peerCpu.median)]
}

function rate({ peerRate, rate }) {
  return [thousand(rate.median), thousand(peerRate.median)]
}

function transferRate({ peerRate, rate }) {
  return [rate.median.toFixed(0), peerRate.median.toFixed(0)]
}

function latency({ peer, sideAtPeerRate }) {
  return [sideAtPeerRate, peer].map(({ p50, p99 }) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`)
}
