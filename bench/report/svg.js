// The SVG elements of the plots.

/** The style of all plots, readable on light and dark pages. */
const STYLE = `
  .page { fill: #ffffff }
  text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 13px }
  .muted { fill: #59636e }
  .small { font-size: 11px }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .one { stroke: #59636e; stroke-width: 1.5 }
  .bar { stroke: #1f2328; stroke-width: 2.5 }
  .band { fill: #f6f8fa }
  .own { stroke: #0969da; fill: #0969da }
  .fails { stroke: #cf222e; fill: #cf222e }
  .peer { stroke: #6e7781; fill: #6e7781 }
  .third { stroke: #bf5700; fill: #bf5700 }
  path.own, path.peer, path.third { fill: none; stroke-width: 2 }
  path.peer { stroke-dasharray: 5 4 }
  line.own, line.fails { stroke-width: 3; stroke-linecap: round; opacity: 0.45 }
  text.own, text.fails, text.peer, text.third { stroke: none }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
    text { fill: #e6edf3 }
    .muted { fill: #9198a1 }
    .grid { stroke: #2a313a }
    .one { stroke: #9198a1 }
    .bar { stroke: #e6edf3 }
    .band { fill: #151b23 }
    .own { stroke: #58a6ff; fill: #58a6ff }
    .fails { stroke: #ff7b72; fill: #ff7b72 }
    .peer { stroke: #9198a1; fill: #9198a1 }
    .third { stroke: #e3893d; fill: #e3893d }
  }`

/** @param {number} width @param {number} height @param {string} label The description for screen readers. @param {string[]} parts */
export function svg(width, height, label, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(label)}">
<style>${STYLE}
</style>
<rect class="page" width="${width}" height="${height}"/>
${parts.join('\n')}
</svg>
`
}

/** @param {number} x @param {number} y @param {string} content @param {string} [className] @param {'start' | 'middle' | 'end'} [anchor] */
export function text(x, y, content, className = '', anchor = 'start') {
  return `<text class="${className}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escaped(content)}</text>`
}

/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} className */
export function line(x1, y1, x2, y2, className) {
  return `<line class="${className}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} className */
export function rectangle(x, y, width, height, className) {
  return `<rect class="${className}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"/>`
}

/** @param {number} x @param {number} y @param {number} radius @param {string} className */
export function dot(x, y, radius, className) {
  return `<circle class="${className}" cx="${round(x)}" cy="${round(y)}" r="${radius}"/>`
}

/** A line through points. @param {[number, number][]} points @param {string} className */
export function curve(points, className) {
  return `<path class="${className}" d="M${points.map(([x, y]) => `${round(x)} ${round(y)}`).join('L')}"/>`
}

/**
 * Maps numbers to pixels by their logarithms.
 * @param {[number, number]} domain
 * @param {[number, number]} range
 * @returns {(value: number) => number}
 */
export function logScale([from, to], [start, end]) {
  const factor = (end - start) / Math.log(to / from)
  return (value) => start + Math.log(value / from) * factor
}

function round(value) {
  return Math.round(value * 10) / 10
}

function escaped(content) {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
