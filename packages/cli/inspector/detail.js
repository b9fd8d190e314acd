// Describes one exchange: how the app reads it, headers, params and records.

import { element } from './elements.js'
import { statusOf } from './summary.js'

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

// Headers that hold credentials: their values are hidden on the screen. A param matches by the name of its header.
const SECRET = /^(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)$/

/** The secrets that the user has shown. A running request is described again at each change, and keeps them. */
const revealed = new Set()

/** Hides all secrets again. */
export function hideSecrets() {
  revealed.clear()
}

/** Returns the elements that describe an exchange. */
export function describe(detail) {
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
        : element('p', { class: 'soft' }, 'The app has not received this request.'),
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

/** Returns the value, or a button that shows it if it is a secret. `where` and `name` identify the value. */
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
    duration === undefined ? 'running' : `end after ${duration.toFixed(1)} ms`,
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
      element(
        'tr',
        {},
        element('td', { colspan: 6, class: 'soft' }, `${recordsLeftOut} more records were left out.`),
      ),
    )
  }
  lastRecords.forEach(add)
  const titles = ['', 'Type', 'Bytes', 'Padding', 'ms', 'Time and size']
  const head = element(
    'tr',
    {},
    ...titles.map((title, i) => element('th', i > 1 && i < 5 ? { class: 'number' } : {}, title)),
  )
  return element('table', { class: 'records' }, element('thead', {}, head), body)
}

// A bar at the time of the record. Its height shows the size.
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

function byteLength(text) {
  return new TextEncoder().encode(text).length
}
