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
 * The resident memory of a process, from `/proc/PID/status`, in bytes. Pages that other processes use, too, count in full: see
 * {@link memoryBreakdown}.
 * @param {number} pid
 * @param {'VmRSS' | 'VmHWM'} field The resident size now, or its peak.
 */
export function residentMemory(pid, field = 'VmRSS') {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const match = new RegExp(`^${field}:\\s*(\\d+) kB$`, 'm').exec(status)
  if (match === null) throw new Error(`/proc/${pid}/status has no ${field}.`)
  return Number(match[1]) * 1024
}

// sysconf(_SC_CLK_TCK) is 100 on every Linux that Node supports.
const TICK = 10

/**
 * The CPU time of a process, and of its children that have ended, in milliseconds, with a resolution of 10 ms. Zero if the process has ended.
 * @param {number | 'self'} pid
 */
export function cpuTimeWithChildren(pid) {
  let stat
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return { own: 0, ended: 0 }
  }
  // The second field, a name in parentheses, can contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number)
  return { own: (user + system) * TICK, ended: (endedUser + endedSystem) * TICK }
}

/**
 * Memory of a process in bytes. `own` is the part of `resident` that no other process shares. `proportional` is the proportional set size:
 * `own`, and a share of each page that several processes use.
 * @param {number | string} pid
 */
export function memoryBreakdown(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
  const value = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1])
  return {
    resident: value('Rss'),
    own: value('Private_Clean') + value('Private_Dirty'),
    proportional: value('Pss'),
  }
}
