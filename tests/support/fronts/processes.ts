import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface Process {
  pid: number
  /** Its whole command line. */
  command: string
}

/**
 * The processes that belong to a test: those of the sessions that it started, and those that were given its
 * folder on their command line (some servers start their apps in a new session).
 */
export function processesOf(sessions: readonly number[], folder: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // pid (name) state ppid pgrp session …: the name may hold anything, even parentheses.
        const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
        const ours = sessions.includes(Number(session)) || command.includes(folder)
        return ours && state !== 'Z' ? [{ pid: Number(name), command }] : []
      } catch {
        return [] // It ended while we looked.
      }
    })
}

/**
 * Waits until `look` finds no process; gives those that are still there after `deadline` milliseconds. The
 * end of a process that is nobody's child here is no event, so it has to be looked for.
 */
export async function remaining(look: () => Process[], deadline: number): Promise<Process[]> {
  const until = performance.now() + deadline
  for (;;) {
    const found = look()
    if (found.length === 0 || performance.now() > until) return found
    await setTimeout(20)
  }
}

/** Kills a process, unless it has ended since it was seen. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process's memory in bytes: now (`VmRSS`), or the most since it was last reset (`VmHWM`). */
export function residentMemory(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024
}
