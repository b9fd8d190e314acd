import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface Process {
  pid: number
  /** The full command line. */
  command: string
}

/**
 * The processes that belong to a test: those in the sessions that it started, and those with its folder on their
 * command line, because some servers start their apps in a new session.
 */
export function processesOf(sessions: readonly number[], folder: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
        // pid (name) state ppid pgrp session …: the name can contain any character, even parentheses.
        const [state, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
        const ours = sessions.includes(Number(session)) || command.includes(folder)
        return ours && state !== 'Z' ? [{ pid: Number(name), command }] : []
      } catch {
        return [] // It ended meanwhile.
      }
    })
}

/**
 * Waits until `find` finds no process. Returns the processes that still run after `timeout` milliseconds. It has to
 * poll, because the exit of a process that is not a child of this one causes no event.
 */
export async function waitForExit(find: () => Process[], timeout: number): Promise<Process[]> {
  const until = performance.now() + timeout
  for (;;) {
    const found = find()
    if (found.length === 0 || performance.now() > until) return found
    await setTimeout(20)
  }
}

/** Kills a process, unless it has ended meanwhile. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process's memory in bytes: now (`VmRSS`), or the peak since the last reset (`VmHWM`). */
export function residentMemory(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024
}
