const ADVICE: Record<string, string> = {
  EACCES: 'permission denied. Give this user the right, or choose another place.',
  EADDRINUSE: 'the address is in use. Stop the server there, or choose another address.',
  EADDRNOTAVAIL: 'this machine does not have that address.',
  ENOENT: 'the folder does not exist. Create it first.',
  ENOSPC: 'the disk is full. Free some space, or choose another place.',
}

/** Wraps a failed bind in an Error with the same `code`, whose message says what to do. `where` names the address. */
export function bindError(error: unknown, where: string): Error {
  const code = codeOf(error)
  const advice = ADVICE[code] ?? (error as Error).message
  return Object.assign(new Error(`${code}: cannot listen on ${where}: ${advice}`), { code })
}

/** The `code` of a system error. */
export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code)
}
