import { readdirSync, readFileSync } from 'node:fs'

/**
 * The CPU time of a process in microseconds: user and system, all threads. It is read from the scheduler's statistics,
 * which have a resolution of a nanosecond (`/proc/PID/stat` has 10 ms). Threads that have ended are missing there, but
 * no server here ends threads.
 * @param {number} pid
 */
export function cpuTime(pid) {
  let nanoseconds = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0])
  }
  return nanoseconds / 1000
}

/**
 * Memory of a process from `/proc/PID/status`, in bytes.
 * @param {number} pid
 * @param {'VmRSS' | 'VmHWM'} field The resident size now, or its peak.
 */
export function residentMemory(pid, field = 'VmRSS') {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const match = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)
  if (match === null) throw new Error(`/proc/${pid}/status has no ${field}.`)
  return Number(match[1]) * 1024
}
