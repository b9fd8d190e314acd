const ADVICE: Record<string, string> = {
  EACCES: 'this user has no permission. Grant it, or choose another address.',
  EADDRINUSE: 'it is in use. Stop the server there, or choose another address.',
  EADDRNOTAVAIL: 'this machine has no such address.',
  EBADF: 'it is not open.',
  EINVAL: 'it is not a listening socket.',
  ENOENT: 'its folder does not exist. Create it first.',
  ENOSPC: 'the disk is full. Free some space, or choose another address.',
  ENOTSOCK: 'it is not a socket.',
}

/** Waits for `listening`. If it rejects with a known error of the operating system, adds a message that says what to do. */
export async function explain(listening: Promise<void>, where: string): Promise<void> {
  try {
    await listening
  } catch (error) {
    const code = codeOf(error)
    const advice = ADVICE[code]
    if (advice === undefined) throw error
    throw withCode(code, `${code}: cannot listen on ${where}: ${advice}`)
  }
}

/** Returns the system's code of an error, for example `'EADDRINUSE'`. */
export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}

/** Creates an Error with the system's code. */
export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
