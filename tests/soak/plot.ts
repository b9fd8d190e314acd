import { curve, line, svg, text } from '../../bench/report/svg.js'
import type { Sampled } from './soak-site.ts'
import type { Quantity } from './verdict.ts'

const PANEL = { width: 450, height: 230, left: 50, right: 20, top: 42, bottom: 40 }
const TICKS = 4

const PANELS: { quantity: Quantity; title: string; unit: number }[] = [
  { quantity: 'rss', title: 'Resident memory, MiB', unit: 1024 * 1024 },
  { quantity: 'heap', title: 'Heap after a collection, MiB', unit: 1024 * 1024 },
  { quantity: 'handles', title: 'Active handles', unit: 1 },
  { quantity: 'descriptors', title: 'File descriptors', unit: 1 },
]

/** One panel for each quantity, with one line for each process. */
export function plot(processes: readonly Sampled[]): string {
  const times = processes.flatMap(({ samples }) => samples.map(({ time }) => time))
  const [start, end] = [Math.min(...times), Math.max(...times)]
  const parts = PANELS.map((panel, index) => {
    const x = (index % 2) * PANEL.width
    const y = Math.floor(index / 2) * PANEL.height
    return `<g transform="translate(${x} ${y})">\n${draw(panel, processes, start, end).join('\n')}\n</g>`
  })
  const height = 2 * PANEL.height + 24
  const legend = [
    text(PANEL.left, height - 12, 'behind nginx', 'small own'),
    text(PANEL.left + 100, height - 12, 'under mod_fcgid', 'small third'),
  ]
  return svg(2 * PANEL.width, height, 'Resources of the app processes over time', [...parts, ...legend])
}

function draw(
  { quantity, title, unit }: (typeof PANELS)[number],
  processes: readonly Sampled[],
  start: number,
  end: number,
): string[] {
  const { bottom, height, left, right, top, width } = PANEL
  const values = processes.flatMap(({ samples }) => samples.map((sample) => sample[quantity] / unit))
  const step = niceStep(Math.max(...values) / TICKS)
  const most = step * Math.ceil(Math.max(...values) / step)
  const toY = (value: number) => height - bottom - (value / most) * (height - bottom - top)
  const toX = (time: number) => left + ((time - start) / (end - start)) * (width - right - left)
  const minutes = (end - start) / 60_000
  const grid = Array.from({ length: Math.round(most / step) + 1 }, (_, index) => index * step)
  return [
    text(left - 34, 24, title, 'title'),
    ...grid.flatMap((value) => [
      line(left, toY(value), width - right, toY(value), 'grid'),
      text(left - 6, toY(value) + 4, String(Number(value.toPrecision(3))), 'muted small', 'end'),
    ]),
    ...[0, 0.5, 1].map((part) =>
      text(
        toX(start + part * (end - start)),
        height - bottom + 16,
        (minutes * part).toFixed(1),
        'muted small',
        'middle',
      ),
    ),
    text((left + width - right) / 2, height - bottom + 32, 'minutes', 'muted small', 'middle'),
    ...processes.map(({ name, samples }) =>
      curve(
        samples.map((sample): [number, number] => [toX(sample.time), toY(sample[quantity] / unit)]),
        name.endsWith('mod_fcgid') ? 'third' : 'own',
      ),
    ),
  ]
}

/** The smallest 1, 2 or 5 times a power of ten that is at least `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power
}
