import { readdirSync, readFileSync } from 'node:fs'
import { commandOf } from '../../scripts/lib/processes.js'
import { cpuTime, memoryBreakdown } from '../lib/cpu.js'

/** The processes of the app: those whose command line has the site's folder. Passenger puts the folder in its apps' process titles. */
export function appsIn(folder) {
  return pids().filter((pid) => {
    const command = commandOf(pid).join(' ')
    return (
      command.includes(folder) && !/^(\S*apache2|setpriv|Passenger(Agent| core| watchdog))\b/.test(command)
    )
  })
}

/** The memory of all of these processes, in MiB. See {@link memoryBreakdown}. */
export function totalMemory(pids) {
  const all = pids.map(memoryBreakdown)
  const mebibytes = (field) => sum(all.map((memory) => memory[field])) / 2 ** 20
  return { own: mebibytes('own'), proportional: mebibytes('proportional') }
}

/** The CPU times of Apache and its descendants, in microseconds: `app` of the app's processes, and `others` of all other processes. */
export function cpuOf({ apache, folder }) {
  const apps = new Set(appsIn(folder))
  const parents = new Map(pids().map((pid) => [pid, parentOf(pid)]))
  const isOfApache = (pid) => {
    for (let at = pid; at !== undefined && at !== '0'; at = parents.get(at)) {
      if (at === String(apache.pid)) return true
    }
    return false
  }
  const others = [...parents.keys()].filter((pid) => !apps.has(pid) && isOfApache(pid))
  return { app: sum([...apps].map(timeOf)), others: sum(others.map(timeOf)) }
}

function timeOf(pid) {
  try {
    return cpuTime(pid)
  } catch {
    // It has ended.
    return 0
  }
}

function pids() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name))
}

function parentOf(pid) {
  try {
    // The second field, a name in parentheses, can contain spaces.
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1]
  } catch {
    return undefined
  }
}

function sum(values) {
  return values.reduce((one, other) => one + other, 0)
}
