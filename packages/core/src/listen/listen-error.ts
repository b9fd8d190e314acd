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

const NO_ADDRESS = 'FCGI_ERR_NO_ADDRESS'

/** Waits for `listening`. If it rejects, throws the error with the message of {@link listenError}. */
export async function withListenErrors(listening: Promise<void>, where: string): Promise<void> {
  try {
    await listening
  } catch (error) {
    throw listenError(error, where)
  }
}

/** Adds a message that says what to do to a known error of the operating system. Returns any other error as it is. */
export function listenError(error: unknown, where: string): unknown {
  const code = codeOf(error)
  const advice = ADVICE[code]
  return advice === undefined ? error : withCode(code, `${code}: cannot listen on ${where}: ${advice}`)
}

/** Creates the error of a program that has no address to listen on. Its last line is `advice`. */
export function noAddressError(message: string, advice: string): Error {
  return withCode(NO_ADDRESS, `${message}\n${advice}`)
}

/** Replaces the advice in the error of a program that has no address to listen on. Returns any other error as it is. */
export function withListenAdvice<E>(error: E, advice: string): E | Error {
  if (codeOf(error) !== NO_ADDRESS) return error
  const { message } = error as Error
  return noAddressError(message.slice(0, message.lastIndexOf('\n')), advice)
}

/** Returns the system's code of an error, for example `'EADDRINUSE'`. */
export function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code)
}

/** Creates an Error with the system's code. */
export function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
