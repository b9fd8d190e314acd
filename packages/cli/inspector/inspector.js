// The inspector: a list of the requests that the gateway of `fcgi-bridge dev` passes on, and all of the one that is chosen. What
// requests carry comes from anywhere: it is set as text, never as HTML.

const LIST_MAX = 200

// Section 8 of the FastCGI specification.
const RECORD_TYPES = [
  '',
  'BEGIN_REQUEST',
  'ABORT_REQUEST',
  'END_REQUEST',
  'PARAMS',
  'STDIN',
  'STDOUT',
  'STDERR',
  'DATA',
  'GET_VALUES',
  'GET_VALUES_RESULT',
  'UNKNOWN_TYPE',
]
const PROTOCOL_STATUSES = ['REQUEST_COMPLETE', 'CANT_MPX_CONN', 'OVERLOADED', 'UNKNOWN_ROLE']

const STATES = {
  starting: 'app starts',
  ready: 'app is ready',
  failed: 'app did not start',
  crashed: 'app has crashed',
  stopped: 'stopped',
  gone: 'fcgi-bridge dev is gone',
}

// Headers whose values log in: they stay hidden from whoever looks at the screen. Of params, by the name of their header.
const SECRET = /^(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)$/

const byId = (id) => document.getElementById(id)
const rows = byId('rows')
const filter = byId('filter')
const pause = byId('pause')

/** Summaries by their id, in the order in which they came; with the row of each. */
const exchanges = new Map()
/** What came while it was paused. */
let held = []
let chosen
/** The secrets of the chosen one that are shown: a request that runs is described again at each change. */
const revealed = new Set()
let loading = false
let loadAgain = false

const events = new EventSource('/__fcgi/events')
events.addEventListener('app', ({ data }) => {
  const { state, mount } = JSON.parse(data)
  showState(state)
  byId('open').href = `${mount}/`
})
events.addEventListener('all', ({ data }) => {
  for (const { row } of exchanges.values()) row.remove()
  exchanges.clear()
  held = []
  update(JSON.parse(data))
  if (chosen !== undefined && !exchanges.has(chosen)) choose(undefined)
})
events.addEventListener('exchanges', ({ data }) => {
  const changed = JSON.parse(data)
  if (pause.checked) held = [...held, ...changed].slice(-5 * LIST_MAX)
  else update(changed)
})
events.addEventListener('error', () => showState('gone'))

filter.addEventListener('input', () => {
  for (const { row, summary } of exchanges.values()) row.hidden = !matches(summary)
  showNone()
})
pause.addEventListener('change', () => {
  if (!pause.checked) update(held.splice(0))
})
byId('clear').addEventListener('click', () => fetch('/__fcgi/clear', { method: 'POST' }))
byId('restart').addEventListener('click', () => fetch('/__fcgi/restart', { method: 'POST' }))
document.addEventListener('keydown', (event) => {
  if ((event.key !== 'ArrowDown' && event.key !== 'ArrowUp') || event.target === filter) return
  event.preventDefault()
  const shown = [...rows.children].filter((row) => !row.hidden)
  const at = shown.findIndex((row) => row.getAttribute('aria-selected') === 'true')
  const next = shown[at < 0 ? 0 : at + (event.key === 'ArrowDown' ? 1 : -1)]
  if (next === undefined) return
  next.scrollIntoView({ block: 'nearest' })
  choose(Number(next.dataset.id))
})

function showState(state) {
  byId('state').textContent = STATES[state] ?? state
  byId('state').dataset.state = state
}

function update(changed) {
  for (const summary of changed) {
    const known = exchanges.get(summary.id)
    const row = known?.row ?? makeRow(summary.id)
    fillRow(row, summary)
    exchanges.set(summary.id, { summary, row })
    // The newest is on top.
    if (known === undefined) rows.prepend(row)
    if (summary.id === chosen) load()
  }
  for (const [id, { row }] of exchanges) {
    if (exchanges.size <= LIST_MAX) break
    row.remove()
    exchanges.delete(id)
  }
  showNone()
}

function showNone() {
  const none = byId('none')
  none.hidden = [...rows.children].some((row) => !row.hidden)
  none.textContent =
    exchanges.size > 0 ? 'No request matches.' : 'No request yet. They show up here as they come.'
}

function makeRow(id) {
  const row = element('tr', { 'aria-selected': 'false', 'data-id': id })
  row.addEventListener('click', () => choose(id))
  return row
}

function fillRow(row, summary) {
  row.hidden = !matches(summary)
  row.replaceChildren(
    element('td', { class: 'code' }, summary.method),
    element('td', { class: 'code', title: summary.target }, summary.target),
    element('td', { class: `number ${toneOf(summary)}` }, statusOf(summary)),
    element('td', { class: 'number' }, summary.duration === undefined ? '…' : summary.duration.toFixed(1)),
    element('td', { class: 'number' }, sizeOf(summary.received)),
  )
}

function matches({ method, target, status }) {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean)
  const text = `${method} ${target} ${status ?? ''}`.toLowerCase()
  return words.every((word) => text.includes(word))
}

function choose(id) {
  exchanges.get(chosen)?.row.setAttribute('aria-selected', 'false')
  if (id !== chosen) revealed.clear()
  chosen = id
  exchanges.get(chosen)?.row.setAttribute('aria-selected', 'true')
  if (id === undefined) byId('detail').replaceChildren(element('p', { class: 'hint' }, 'Choose a request.'))
  else load()
}

// One at a time: a request that streams changes all the while.
async function load() {
  if (loading) {
    loadAgain = true
    return
  }
  loading = true
  const id = chosen
  try {
    const response = await fetch(`/__fcgi/exchanges/${id}`)
    const detail = response.ok ? await response.json() : undefined
    if (id === chosen && detail !== undefined) byId('detail').replaceChildren(...describe(detail))
  } catch {
    // The state says that it is gone.
  }
  loading = false
  if (!loadAgain) return
  loadAgain = false
  if (chosen !== undefined) load()
}

function describe(detail) {
  const { method, target, made, headers, params, stderrText, stderrBytes, responseHeaders } = detail
  return [
    element('p', { class: 'request code' }, `${method} ${target}`),
    element('p', { class: 'facts' }, factsOf(detail)),
    ...(detail.error === undefined ? [] : [element('p', { class: 'bad' }, detail.error)]),
    ...part('stderr', stderrText && 'STDERR', () => [
      element('pre', {}, stderrText),
      ...(stderrBytes > byteLength(stderrText)
        ? [element('p', { class: 'soft' }, `The first of ${stderrBytes} bytes.`)]
        : []),
    ]),
    ...part('made', 'How the app reads it', () => [
      made.length > 0
        ? table(
            ['', 'Value', 'From', 'Why'],
            made.map(({ what, value, from, why }) => [what, value, from.join('\n'), why]),
            'made',
          )
        : element('p', { class: 'soft' }, 'The app has not been given this request (yet).'),
    ]),
    ...part('headers', headers.length > 0 && `Request headers (${headers.length})`, () => [
      table(
        ['Header', 'Value', 'From'],
        headers.map(({ name, value, from }) => [name, hide('request', name, value), from]),
      ),
    ]),
    ...part(
      'response',
      responseHeaders.length > 0 && `Response headers (${responseHeaders.length / 2})`,
      () => [
        table(
          ['Header', 'Value'],
          pairs(responseHeaders).map(([name, value]) => [name, hide('response', name, value)]),
        ),
      ],
    ),
    ...part('params', `Params (${params.length})`, () => [
      table(
        ['Name', 'Value'],
        params
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => [name, hide('params', name, value)]),
      ),
    ]),
    ...part('records', 'Records', () => [recordsOf(detail)]),
  ]
}

/** The value, or for a secret one a button that shows it. `where` and `name` say which value it is. */
function hide(where, name, value) {
  const header = name
    .replace(/^(?:REDIRECT_)*HTTP_/, '')
    .replaceAll('_', '-')
    .toLowerCase()
  const key = `${where} ${name}`
  if (!SECRET.test(header) || value === '' || revealed.has(key)) return value
  const button = element('button', { type: 'button', class: 'secret' }, `Show ${value.length} characters`)
  button.addEventListener('click', () => {
    revealed.add(key)
    button.replaceWith(value)
  })
  return button
}

function part(id, title, content) {
  return title ? [element('h2', { id: `part-${id}` }, title), ...content()] : []
}

function factsOf(detail) {
  const { begun, duration, headTime, connection, requestId, sent, received, appStatus, protocolStatus } =
    detail
  return [
    statusOf(detail),
    new Date(begun).toLocaleTimeString(),
    headTime === undefined ? undefined : `head after ${headTime.toFixed(1)} ms`,
    duration === undefined ? 'runs' : `end after ${duration.toFixed(1)} ms`,
    `connection ${connection}, request id ${requestId}`,
    `${sent} bytes sent, ${received} received`,
    protocolStatus === undefined
      ? undefined
      : `${PROTOCOL_STATUSES[protocolStatus] ?? protocolStatus}, app status ${appStatus}`,
  ]
    .filter(Boolean)
    .join(' · ')
}

function recordsOf({ firstRecords, lastRecords, recordsLeftOut }) {
  const all = [...firstRecords, ...lastRecords]
  const end = Math.max(all.at(-1)?.time ?? 0, 0.001)
  const largest = Math.max(1, ...all.map(({ contentLength }) => contentLength))
  const body = element('tbody')
  const add = (record) => {
    const { direction, type, contentLength, paddingLength, time } = record
    const arrow = direction === 'sent' ? '→ app' : '← app'
    body.append(
      element(
        'tr',
        {},
        element('td', { class: direction }, arrow),
        element('td', { class: `code ${direction}` }, RECORD_TYPES[type] ?? `type ${type}`),
        element('td', { class: 'number' }, String(contentLength)),
        element('td', { class: 'number soft' }, paddingLength === 0 ? '' : `+${paddingLength}`),
        element('td', { class: 'number' }, time.toFixed(2)),
        element('td', { class: 'line' }, mark(direction, time / end, contentLength / largest)),
      ),
    )
  }
  firstRecords.forEach(add)
  if (recordsLeftOut > 0) {
    body.append(
      element('tr', {}, element('td', { colspan: 6, class: 'soft' }, `${recordsLeftOut} more are not kept.`)),
    )
  }
  lastRecords.forEach(add)
  const titles = ['', 'Type', 'Bytes', 'Padding', 'ms', 'When, and how large']
  const head = element(
    'tr',
    {},
    ...titles.map((title, i) => element('th', i > 1 && i < 5 ? { class: 'number' } : {}, title)),
  )
  return element('table', { class: 'records' }, element('thead', {}, head), body)
}

// A bar at its time, as high as the record is large.
function mark(direction, at, size) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const bar = document.createElementNS('http://www.w3.org/2000/svg', 'rect')
  const height = 15 + 85 * Math.sqrt(size)
  const shape = {
    x: `${at * 98}%`,
    width: '2%',
    y: `${100 - height}%`,
    height: `${height}%`,
    class: direction,
  }
  for (const [name, value] of Object.entries(shape)) bar.setAttribute(name, value)
  svg.append(bar)
  return svg
}

function table(titles, lines, kind = '') {
  const cells = ([first, ...others]) => [
    element('th', { scope: 'row' }, first),
    ...others.map((text) => element('td', { class: 'code' }, text)),
  ]
  return element(
    'table',
    { class: kind },
    element('thead', {}, element('tr', {}, ...titles.map((title) => element('th', {}, title)))),
    element('tbody', {}, ...lines.map((line) => element('tr', {}, ...cells(line)))),
  )
}

function pairs(list) {
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i], list[2 * i + 1]])
}

function statusOf({ status, error, duration }) {
  if (status !== undefined) return error === undefined ? String(status) : `${status} cut`
  if (error !== undefined) return 'failed'
  return duration === undefined ? '…' : 'none'
}

function toneOf({ status, error }) {
  if (error !== undefined || status >= 500) return 'bad'
  if (status >= 400) return 'warn'
  if (status >= 300) return 'moved'
  return status === undefined ? 'soft' : 'good'
}

function sizeOf(bytes) {
  if (bytes < 1000) return String(bytes)
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} k`
  return `${(bytes / 1_000_000).toFixed(1)} M`
}

function byteLength(text) {
  return new TextEncoder().encode(text).length
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}
