import { mib } from './format.js'
import { curve, dot, line, logScale, svg, text } from './svg.js'

const WIDTH = 900
const PANEL = { width: 450, height: 250, left: 56, right: 84, top: 42, bottom: 48 }

/**
 * One panel for each quantity that the cost may grow with, and one for the heap.
 * @param {import('./results.js').Results} results
 */
export function growthPlot({ results }) {
  const panels = [
    ...results.flatMap((result) => (result.type === 'growth' ? [growthPanel(result)] : [])),
    ...uptimePanels(results.flatMap((result) => (result.type === 'uptime' ? [result] : []))),
  ]
  const parts = panels.map((panel, index) => {
    const x = (index % 2) * PANEL.width
    const y = Math.floor(index / 2) * PANEL.height
    return `<g transform="translate(${x} ${y})">\n${draw(panel).join('\n')}\n</g>`
  })
  const height = Math.max(1, Math.ceil(panels.length / 2)) * PANEL.height
  return svg(WIDTH, height, 'How cost grows', parts)
}

/**
 * @typedef {object} Panel
 * @property {string} title
 * @property {string} x
 * @property {boolean} logarithmic Whether both axes are logarithmic.
 * @property {{ name: string, className: string, points: [number, number][] }[]} lines
 */

/** @param {import('../lib/growth.js').GrowthResult} result @returns {Panel} */
function growthPanel({ name, points, peerFactor, x }) {
  const lines = [{ name: 'core', className: 'own', points: points.map(({ cpu, x }) => pair(x, cpu)) }]
  if (peerFactor !== undefined) {
    lines.push({
      name: 'node:http',
      className: 'peer',
      points: points.flatMap(({ peerCpu, x }) => (peerCpu === undefined ? [] : [pair(x, peerCpu)])),
    })
  }
  return { title: `µs of CPU per request: ${name}`, x, logarithmic: true, lines }
}

/** @param {import('../lib/uptime.js').UptimeResult[]} results @returns {Panel[]} */
function uptimePanels(results) {
  if (results.length === 0) return []
  const classNames = ['own', 'third', 'peer']
  const node = results[0].node
  const lines = results
    .filter((result) => result.node === node)
    .map(({ name, points }, index) => ({
      name: name.split(',')[0],
      className: classNames[index % classNames.length],
      points: points.map(({ heap, x }) => pair(x, Number(mib(heap)))),
    }))
  return [{ title: 'Heap after a collection, MiB', x: 'requests', logarithmic: false, lines }]
}

/** @param {number} x @param {number} y @returns {[number, number]} */
function pair(x, y) {
  return [x, y]
}

/** @param {Panel} panel */
function draw({ lines, logarithmic, title, x }) {
  const { bottom, height, left, right, top, width } = PANEL
  const all = lines.flatMap(({ points }) => points)
  const xs = all.map(([value]) => value)
  const ys = all.map(([, value]) => value)
  const rangeX = pair(left, width - right)
  const rangeY = pair(height - bottom, top)
  const toX = (logarithmic ? logScale : linearScale)(pair(Math.min(...xs), Math.max(...xs)), rangeX)
  const low = logarithmic ? Math.min(...ys) / 1.3 : 0
  const toY = (logarithmic ? logScale : linearScale)(pair(low, Math.max(...ys) * 1.2), rangeY)
  const ticksY = logarithmic ? powers(low, Math.max(...ys) * 1.2) : steps(Math.max(...ys) * 1.2)
  return [
    text(left - 40, 24, title, 'title'),
    ...ticksY.flatMap((tick) => [
      line(left, toY(tick), width - right, toY(tick), 'grid'),
      text(left - 6, toY(tick) + 4, short(tick), 'muted small', 'end'),
    ]),
    ...apart([...new Set(xs)], toX).map((tick) =>
      text(toX(tick), height - bottom + 16, short(tick), 'muted small', 'middle'),
    ),
    text((left + width - right) / 2, height - bottom + 34, x, 'muted small', 'middle'),
    ...lines.flatMap(({ className, points }) => [
      curve(
        points.map(([x, y]) => pair(toX(x), toY(y))),
        className,
      ),
      ...points.map(([x, y]) => dot(toX(x), toY(y), 2.5, className)),
    ]),
    ...labels(lines, toY, width - right + 8),
  ]
}

// Each line has its name at its end. Names that would touch are moved apart.
function labels(lines, toY, x) {
  const placed = lines
    .map(({ className, name, points }) => ({ className, name, y: toY(points.at(-1)[1]) + 4 }))
    .sort((a, b) => a.y - b.y)
  for (let index = 1; index < placed.length; index++) {
    placed[index].y = Math.max(placed[index].y, placed[index - 1].y + 14)
  }
  return placed.map(({ className, name, y }) => text(x, y, name, `small ${className}`))
}

// Label only values whose labels do not overlap the previous one.
function apart(values, toX) {
  const kept = []
  for (const value of values) if (kept.length === 0 || toX(value) - toX(kept.at(-1)) > 28) kept.push(value)
  return kept
}

function linearScale([from, to], [start, end]) {
  return (value) => start + ((value - from) / (to - from)) * (end - start)
}

function powers(low, high) {
  const ticks = []
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10) {
    for (const factor of high / low > 100 ? [1] : [1, 2, 5]) {
      if (power * factor >= low && power * factor <= high) ticks.push(power * factor)
    }
  }
  return ticks
}

function steps(high) {
  const rough = high / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10) * power
  return Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step)
}

function short(value) {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)))
}
