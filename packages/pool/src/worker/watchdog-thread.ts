// Runs in a thread of each worker. A blocked event loop cannot report itself.

import { writeSync } from 'node:fs'
import { type Debugger, Session } from 'node:inspector'
import { workerData } from 'node:worker_threads'
import type { BlockedReport } from './messages.ts'
import { REQUESTS_KEY, type WatchdogData } from './watchdog.ts'

const { heartbeats, heartbeatInterval, blockedAfter, reportFd } = workerData as WatchdogData

// Frames in a report.
const STACK_MAX = 30
// How long to wait until the main thread stops. It cannot stop while it is in native code, such as fs.readSync.
const PAUSE_TIMEOUT = 1000

let last = -1
let since = performance.now()
let reported = false

setInterval(async () => {
  const now = performance.now()
  const beat = Atomics.load(heartbeats, 0)
  if (beat !== last) {
    last = beat
    since = now
    reported = false
    return
  }
  if (reported || now - since < blockedAfter) return
  reported = true
  const { stack, requests } = await inspectMainThread()
  if (Atomics.load(heartbeats, 0) !== beat) return
  const report: BlockedReport = { blocked: Math.round(performance.now() - since), stack, requests }
  writeSync(reportFd, `${JSON.stringify(report)}\n`)
}, heartbeatInterval)

/** Stops the main thread for a moment and returns its call stack and its running requests. */
async function inspectMainThread(): Promise<Pick<BlockedReport, 'stack' | 'requests'>> {
  const session = new Session()
  session.connectToMainThread()
  const urls = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
  const paused = new Promise<Debugger.CallFrame[]>((resolve) => {
    session.once('Debugger.paused', ({ params }) => resolve(params.callFrames))
    setTimeout(() => resolve([]), PAUSE_TIMEOUT)
  })
  try {
    session.post('Debugger.enable')
    session.post('Debugger.pause')
    const frames = await paused
    const stack = frames.slice(0, STACK_MAX).map(({ functionName, url, location }) => {
      const file = url || urls.get(location.scriptId) || 'unknown'
      const place = `${file}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`
      return functionName === '' ? place : `${functionName} (${place})`
    })
    return { stack, requests: frames.length === 0 ? [] : await runningRequests(session) }
  } finally {
    session.post('Debugger.resume', () => session.post('Debugger.disable', () => session.disconnect()))
  }
}

function runningRequests(session: Session): Promise<BlockedReport['requests']> {
  const expression = `JSON.stringify(globalThis[Symbol.for(${JSON.stringify(REQUESTS_KEY)})]())`
  return new Promise((resolve) => {
    session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, reply) => {
      resolve(error === null ? JSON.parse(String(reply.result.value)) : [])
    })
  })
}
