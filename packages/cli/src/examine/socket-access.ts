import { readFileSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { shellWord } from '../shell-word.ts'

/** A user of the operating system. */
export interface User {
  readonly uid: number
  /** All groups. The primary group is the first. */
  readonly groups: readonly number[]
}

/** Why a user cannot connect to a Unix socket, and how to fix it. */
export interface Denial {
  /** A sentence: `/run/app.sock is srw------- node:node, …` */
  readonly reason: string
  /** A shell command. */
  readonly fix: string
}

/**
 * Finds out why a user cannot connect to a Unix socket. The user needs write permission on the socket, and search permission on each
 * folder in its path (unix(7)). Returns undefined if the user has these permissions, or if this process cannot read them. Does not
 * treat root specially.
 */
export function denialOf(path: string, user: User): Denial | undefined {
  const name = userName(user.uid)
  for (const folder of foldersOf(resolve(path))) {
    const stats = statIfExists(folder)
    if (stats === undefined || stats.mode & bitsFor(stats, user, 0o1)) continue
    return {
      reason: `The folder ${folder} is ${describe(stats)}: the user ${name} has no search permission on it.`,
      fix: `chmod ${classOf(stats, user)[0]}+x ${shellWord(folder)}`,
    }
  }
  const stats = statIfExists(path)
  if (stats === undefined || stats.mode & bitsFor(stats, user, 0o2)) return undefined
  const permissionClass = classOf(stats, user)
  const group = groupName(user.groups[0] ?? user.uid)
  const word = shellWord(path)
  return {
    reason: `${path} is ${describe(stats)}: the user ${name} needs write permission to connect to it.`,
    fix:
      permissionClass === 'others'
        ? `chgrp ${group} ${word} && chmod 660 ${word}`
        : `chmod ${permissionClass[0]}+rw ${word}`,
  }
}

/** The user that this process runs as. Undefined on Windows. */
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

// In both files the third field is the id.
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

/** The stats of a file. Undefined if it does not exist, or if this process may not read it. */
export function statIfExists(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  } finally {
    // On Node 20 and 22, import() fails after statSync() of a socket (nodejs/node#51142). statSync() of a folder repairs it.
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
