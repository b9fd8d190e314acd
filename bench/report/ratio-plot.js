import { times } from './format.js'
import { dot, line, logScale, rectangle, svg, text } from './svg.js'

const WIDTH = 900
const LEFT = 400
const RIGHT = 96
const ROW = 22
const TOP = 64
const LOWEST = 0.03
const HIGHEST = 5
const TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, HIGHEST]

/**
 * Each ratio as a dot with its spread, together with its target.
 * @param {import('./results.js').Results} results
 */
export function ratioPlot({ results }) {
  const nodes = [...new Set(results.map(({ node }) => node))]
  const parts = [
    text(16, 24, 'CPU time per request (or byte) as a share of the peer’s. Less is better', 'title'),
    text(16, 42, 'dot: median of the rounds; line: quartiles; vertical stroke: target', 'muted small'),
  ]
  const scale = logScale([LOWEST, HIGHEST], [LEFT, WIDTH - RIGHT])
  let y = TOP
  const rows = []
  for (const node of nodes) {
    const of = results.filter((result) => result.node === node && 'ratio' in result)
    if (of.length === 0) continue
    rows.push(text(16, y + 16, `Node ${node}`, 'title'))
    y += ROW + 4
    for (const [index, result] of of.entries()) {
      if (index % 2 === 0) rows.push(rectangle(8, y, WIDTH - 16, ROW, 'band'))
      rows.push(...row(result, y + ROW / 2, scale))
      y += ROW
    }
    y += 12
  }
  const grid = TICKS.flatMap((tick) => [
    line(scale(tick), TOP + ROW, scale(tick), y, tick === 1 ? 'one' : 'grid'),
    text(scale(tick), y + 16, `${tick} ×`, 'muted small', 'middle'),
  ])
  const bands = rows.filter((part) => part.startsWith('<rect'))
  const marks = rows.filter((part) => !part.startsWith('<rect'))
  return svg(WIDTH, y + 32, 'CPU time as a share of the peer’s', [...parts, ...bands, ...grid, ...marks])
}

function row(result, middle, scale) {
  const { bar, name, ratio } = result
  const fails = bar !== undefined && ratio.median > bar
  const className = fails ? 'fails' : bar === undefined ? 'peer' : 'own'
  const clamped = (value) => scale(Math.min(HIGHEST, Math.max(LOWEST, value)))
  return [
    text(16, middle + 4, name, 'small'),
    ...(bar === undefined ? [] : [line(clamped(bar), middle - 8, clamped(bar), middle + 8, 'bar')]),
    line(clamped(ratio.low), middle, clamped(ratio.high), middle, className),
    dot(clamped(ratio.median), middle, 4.5, className),
    text(WIDTH - 16, middle + 4, `${times(ratio.median)} ×${fails ? ' ✗' : ''}`, `small ${className}`, 'end'),
  ]
}
