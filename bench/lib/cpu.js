import { readdirSync, readFileSync } from 'node:fs'

/**
 * The CPU time that a process has used, user and system, all of its threads, in microseconds: from the scheduler's own
 * books, whose grain is a nanosecond (that of `/proc/PID/stat` is 10 ms). Threads that have ended are not in it; no
 * server here ends any.
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
 * Memory of a process as `/proc/PID/status` tells it, in bytes.
 * @param {number} pid
 * @param {'VmRSS' | 'VmHWM'} field What is resident now, or was at most.
 */
export function residentMemory(pid, field = 'VmRSS') {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const match = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)
  if (match === null) throw new Error(`/proc/${pid}/status has no ${field}.`)
  return Number(match[1]) * 1024
}
