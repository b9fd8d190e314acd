import { readFileSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { shellWord } from '../shell-word.ts'

/** A user of the operating system, as far as rights on files go. */
export interface User {
  readonly uid: number
  /** All groups, the first one included. */
  readonly groups: readonly number[]
}

/** What keeps a user from connecting to a Unix socket, and what mends it. */
export interface Denial {
  /** `/run/app.sock is srw------- node:node, …` */
  readonly seen: string
  /** A shell command. */
  readonly mend: string
}

/**
 * Why a user may not connect to a Unix socket: that takes the right to write to it, and to search each folder on the way
 * (unix(7)). Undefined: nothing is in the way, or it can not be seen from here. Root's power over files is not looked at.
 */
export function denialOf(path: string, user: User): Denial | undefined {
  const name = userName(user.uid)
  for (const folder of foldersOf(resolve(path))) {
    const stats = look(folder)
    if (stats === undefined || stats.mode & bitsFor(stats, user, 0o1)) continue
    return {
      seen: `The folder ${folder} is ${describe(stats)}: the user ${name} may not pass through it.`,
      mend: `chmod ${classOf(stats, user)[0]}+x ${shellWord(folder)}`,
    }
  }
  const stats = look(path)
  if (stats === undefined || stats.mode & bitsFor(stats, user, 0o2)) return undefined
  const mine = classOf(stats, user)
  const group = groupName(user.groups[0] ?? user.uid)
  const word = shellWord(path)
  return {
    seen: `${path} is ${describe(stats)}: the user ${name} may not write to it, and so not connect.`,
    mend: mine === 'others' ? `chgrp ${group} ${word} && chmod 660 ${word}` : `chmod ${mine[0]}+rw ${word}`,
  }
}

/** The user that this process runs as. Undefined where the system has none. */
export function currentUser(): User | undefined {
  const uid = process.geteuid?.()
  return uid === undefined ? undefined : { uid, groups: [process.getegid!(), ...process.getgroups!()] }
}

function userName(uid: number): string {
  return nameIn('/etc/passwd', uid)
}

function groupName(gid: number): string {
  return nameIn('/etc/group', gid)
}

// Both files have the number in their third field.
function nameIn(file: string, id: number): string {
  try {
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .find((one) => one.split(':')[2] === String(id))
    return line?.split(':')[0] ?? String(id)
  } catch {
    return String(id)
  }
}

/** What there is at a path. Undefined where there is nothing, or it can not be seen. */
export function look(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  } finally {
    // On Node 20 and 22 no import() after a look at a socket finds its files (nodejs/node#51142); after one at a folder it does.
    statSync('/')
  }
}

function classOf(stats: Stats, { uid, groups }: User): 'user' | 'group' | 'others' {
  if (stats.uid === uid) return 'user'
  return groups.includes(stats.gid) ? 'group' : 'others'
}

function bitsFor(stats: Stats, user: User, bit: number): number {
  return bit << { user: 6, group: 3, others: 0 }[classOf(stats, user)]
}

// srw-rw---- node:www-data
function describe(stats: Stats): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => (stats.mode & (0o400 >> index) ? letter : '-'))
  const kind = stats.isSocket() ? 's' : stats.isDirectory() ? 'd' : '-'
  return `${kind}${letters.join('')} ${userName(stats.uid)}:${groupName(stats.gid)}`
}

// From the root down.
function foldersOf(path: string): string[] {
  const folder = dirname(path)
  return folder === path ? [] : [...foldersOf(folder), folder]
}
