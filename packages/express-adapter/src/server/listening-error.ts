import { constants } from 'node:os'
import { type ListenOptions, withListenAdvice } from '@fcgi-bridge/core'

const ADVICE = "Call listen(9000), listen('/run/app.sock'), or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000."

/** Adds the properties that a net.Server's error has: `errno`, `syscall`, `address` and `port`. Adds advice if no address was given. */
export function completeListenError(error: unknown, place: ListenOptions | undefined): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string' || !(code in constants.errno)) return withListenAdvice(error, ADVICE)
  return Object.assign(error as Error, {
    errno: -constants.errno[code as keyof typeof constants.errno],
    syscall: 'listen',
    ...(place?.port !== undefined && { address: place.host ?? '127.0.0.1', port: place.port }),
    ...(place?.path !== undefined && { address: place.path }),
  })
}
