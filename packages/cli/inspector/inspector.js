// The inspector lists the requests that the gateway of `fcgi-bridge dev` forwards, and shows the details of the selected one.

import { describe, hideSecrets } from './detail.js'
import { element } from './elements.js'
import { sizeOf, statusOf, toneOf } from './summary.js'

const LIST_MAX = 200

const STATES = {
  starting: 'app is starting',
  ready: 'app is ready',
  failed: 'app did not start',
  crashed: 'app has crashed',
  stopped: 'stopped',
  gone: 'fcgi-bridge dev has stopped',
}

const byId = (id) => document.getElementById(id)
const rows = byId('rows')
const filter = byId('filter')
const pause = byId('pause')

/** By id, in order of arrival: the summary of each exchange, and its table row. */
const exchanges = new Map()
/** Summaries that arrived while the list was paused. */
let held = []
let chosen
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
    exchanges.size > 0 ? 'No request matches.' : 'No requests yet. They appear here as they arrive.'
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
  if (id !== chosen) hideSecrets()
  chosen = id
  exchanges.get(chosen)?.row.setAttribute('aria-selected', 'true')
  if (id === undefined) byId('detail').replaceChildren(element('p', { class: 'hint' }, 'Select a request.'))
  else load()
}

// Load one at a time: a streaming request changes again and again.
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
    // The event stream fails as well, and shows that the server is gone.
  }
  loading = false
  if (!loadAgain) return
  loadAgain = false
  if (chosen !== undefined) load()
}
