// Processes, as Linux shows them in /proc.

import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** The process ids of a process's children. None if it has ended. @param {number} pid @returns {number[]} */
export function childrenOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim()
      return text === '' ? [] : text.split(' ').map(Number)
    })
  } catch {
    return []
  }
}

/** The command line of a process, word by word. Empty if the process has ended. @param {number | string} pid @returns {string[]} */
export function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').slice(0, -1)
  } catch {
    return []
  }
}

/**
 * Ends a child process, unless it has ended, and resolves when it has.
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => void} end Makes it end. Default: sends SIGTERM.
 */
export async function endChild(child, end = () => void child.kill('SIGTERM')) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  end()
  await exit
}
