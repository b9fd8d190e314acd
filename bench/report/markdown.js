import { mib, micro, moment, thousand, times } from './format.js'
import { losses, misses, verdict } from './verdicts.js'

/**
 * Returns the text of RESULTS.md.
 * @param {import('./results.js').Results} results
 */
export function markdown({ environment, results }) {
  const nodes = [...new Set(results.map(({ node }) => node))]
  const sections = [
    head(environment, nodes),
    '![CPU time as a share of the peer’s, with a dot for each row of the tables below](ratios.svg)',
    ...nodes.map((node) => ratioTable(node, results)),
    transferTable(results),
    growthSection(results),
    latencyTable(results),
    startupTable(results),
    cgiTable(results),
    lossSection(results),
    apartNote(results),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function head({ commit, cores, cpu, date, load, memory, pace, system, versions }, nodes) {
  const names = Object.entries(versions).filter(([, version]) => version !== undefined)
  return `# Results

Written by \`npm run bench\`. [README.md](README.md) explains how to read it, and [NOTES.md](NOTES.md) what was tried without success.

|          |     |
| -------- | --- |
| date     | ${moment(date)}, commit ${commit} |
| machine  | ${cpu}, ${cores} cores, ${Math.round(memory / 1024 ** 3)} GiB; load average ${load.toFixed(1)} before the run |
| system   | ${system} |
| rounds   | ${pace.launches} start(s), each with ${pace.rounds} rounds of ${pace.milliseconds} ms per side |
| Node     | ${nodes.join(', ')} |
| versions | ${names.map(([name, version]) => `${name} ${version}`).join(', ')} |`
}

function ratioTable(node, results) {
  const rows = results.filter(
    (result) => result.node === node && (result.type === 'ratio' || isMissing(result)),
  )
  if (rows.length === 0) return ''
  const limited = rows.some(({ generatorBusy }) => generatorBusy > 0.9)
  const note = limited ? ' \\* The load generator was at its limit.' : ''
  return `## Requests, Node ${node}

CPU is the server's CPU time, user and system, in microseconds per request. Through nginx it is that of app and nginx together.${note}

${table(
  ['', 'ratio', 'quartiles', 'target', '', 'CPU', 'peer', 'req/s', 'peer', 'ratio'],
  rows.map((row) => (isMissing(row) ? missingCells(row, 10) : ratioCells(row))),
)}`
}

function ratioCells(row) {
  const { bar, cpu, generatorBusy, name, peerCpu, peerRate, rate, rateBar, rateRatio } = row
  return [
    name,
    ...quartiles(row),
    [bar === undefined ? '' : `≤ ${times(bar)}`, rateBar === undefined ? '' : `req/s ≥ ${times(rateBar)}`]
      .filter((text) => text !== '')
      .join(', '),
    verdict(row),
    micro(cpu.median),
    micro(peerCpu.median),
    thousand(rate.median),
    thousand(peerRate.median),
    times(rateRatio.median) + (generatorBusy > 0.9 ? ' \\*' : ''),
  ]
}

function transferTable(results) {
  const rows = results.filter(({ type }) => type === 'transfer')
  if (rows.length === 0) return ''
  return `## Bodies of 1 GiB, streamed

${table(
  [
    '',
    'Node',
    'ratio',
    'quartiles',
    'target',
    '',
    'CPU, µs/MiB',
    'peer',
    'MiB/s',
    'peer',
    'RSS growth, MiB',
    'peer',
    'target',
  ],
  rows.map((row) => [
    row.name,
    row.node,
    ...againstTarget(row),
    micro(row.cpu.median),
    micro(row.peerCpu.median),
    row.rate.median.toFixed(0),
    row.peerRate.median.toFixed(0),
    mib(row.growth),
    mib(row.peerGrowth),
    `≤ ${mib(row.growthBar)} ${row.growth <= row.growthBar ? 'reached' : 'missed'}`,
  ]),
)}`
}

/** The cells `ratio`, `quartiles`, `target` and the verdict of a row whose target is a ratio. */
function againstTarget(row) {
  return [...quartiles(row), `≤ ${times(row.bar)}`, verdict(row)]
}

function quartiles({ ratio }) {
  return [`**${times(ratio.median)}**`, `${times(ratio.low)}–${times(ratio.high)}`]
}

function growthSection(results) {
  const growths = results.filter(({ type }) => type === 'growth')
  const uptimes = results.filter(({ type }) => type === 'uptime')
  if (growths.length + uptimes.length === 0) return ''
  const heap = table(
    ['heap after 10⁶ requests', 'Node', 'first, MiB', 'last, MiB', 'growth, MiB', 'target', ''],
    uptimes.map((uptime) => [
      uptime.name,
      uptime.node,
      mib(uptime.points[0].heap),
      mib(uptime.points.at(-1).heap),
      mib(uptime.growth),
      `≤ ${mib(uptime.bar)}`,
      verdict(uptime),
    ]),
  )
  const cost = table(
    ['quantity', 'Node', 'from', 'to', 'cost of a unit of work: last / lowest', 'peer', ''],
    growths.map((growth) => [
      growth.x,
      growth.node,
      String(growth.points[0].x),
      String(growth.points.at(-1).x),
      times(growth.factor),
      growth.peerFactor === undefined ? '' : times(growth.peerFactor),
      verdict(growth),
    ]),
  )
  return `## How cost grows

![Cost per request as params, connections, multiplexed requests and response records grow, and the heap over a million requests](growth.svg)

A unit of work is a request, or a param or response record if that is the quantity. The target is reached if the cost of a unit at the
last value is at most 1.25 times its lowest cost, or grows no more than the peer's.

${[cost, heap].filter((text) => text !== '').join('\n\n')}`
}

function latencyTable(results) {
  const rows = results.filter(({ type }) => type === 'latency')
  if (rows.length === 0) return ''
  const cells = ({ p50, p99 }) => [p50.toFixed(2), p99.toFixed(2)]
  return `## Latency

Milliseconds from the scheduled time of a request, even if it could not be sent then. Each side runs at half of the rate that saturates it.
Ours also runs at half of the peer's rate.

${table(
  ['', 'Node', 'req/s', 'p50', 'p99', 'peer: req/s', 'p50', 'p99', 'ours at the peer’s rate: p50', 'p99'],
  rows.map(({ name, node, peer, side, sideAtPeerRate }) => [
    name,
    node,
    side.rate.toFixed(0),
    ...cells(side),
    peer.rate.toFixed(0),
    ...cells(peer),
    ...cells(sideAtPeerRate),
  ]),
)}`
}

function startupTable(results) {
  const rows = results.filter(({ type }) => type === 'startup')
  if (rows.length === 0) return ''
  return `## Start-up

Time from the program's first import until it listens, and its resident memory then. The packages are bundled, as they are published.

${table(
  ['', 'Node', 'ms', 'peer', 'MiB', 'peer'],
  rows.map(({ memory, name, node, peerMemory, peerTime, time }) => [
    name,
    node,
    time.median.toFixed(0),
    peerTime.median.toFixed(0),
    mib(memory.median),
    mib(peerMemory.median),
  ]),
)}`
}

function cgiTable(results) {
  const rows = results.filter(({ type }) => type === 'cgi')
  if (rows.length === 0) return ''
  return `## Plain CGI

Milliseconds from the start of the process to the last byte of one response. The peer is a process that starts the same app on node:http and
responds to one request.

${table(
  ['', 'Node', 'ratio', 'quartiles', 'target', '', 'ms', 'peer'],
  rows.map((row) => [
    row.name,
    row.node,
    ...againstTarget(row),
    row.time.median.toFixed(0),
    row.peerTime.median.toFixed(0),
  ]),
)}`
}

function lossSection(results) {
  const missed = results.flatMap((result) => misses(result).map((text) => sentence(result, text)))
  const others = results.flatMap((result) => losses(result).map((text) => sentence(result, text)))
  return `## Missed targets

${missed.length > 0 ? missed.join('\n') : 'None in this run.'}

## Other rows in which the peer is better

${others.length > 0 ? others.join('\n') : 'None in this run.'}`
}

function sentence({ name, node }, text) {
  return `- ${name} (Node ${node}): ${text}.`
}

function apartNote(results) {
  const runs = new Map()
  for (const { name, node, taken } of results) {
    if (taken === undefined) continue
    const run = `${moment(taken.date)}, commit ${taken.commit}`
    runs.set(run, [...(runs.get(run) ?? []), `${name} (Node ${node})`])
  }
  if (runs.size === 0) return ''
  return `## Measured separately

${[...runs].map(([run, rows]) => `- ${run}: ${rows.join('; ')}.`).join('\n')}`
}

function isMissing({ type }) {
  return type === 'missing'
}

function missingCells({ name, reason }, columns) {
  return [name, `not measured: ${reason.split('\n', 1)[0]}`, ...Array(columns - 2).fill('')]
}

function table(columns, rows) {
  if (rows.length === 0) return ''
  const toLine = (cells) => `| ${cells.join(' | ')} |`
  return [toLine(columns), toLine(columns.map(() => '---')), ...rows.map(toLine)].join('\n')
}
