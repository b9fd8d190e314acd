import { constants } from 'node:os'
import type { ListenOptions } from '@fcgi-bridge/core'

/** Adds to an error of listening what that of a net.Server has: `errno`, `syscall`, and `address` and `port`. */
export function completeListenError(error: unknown, place: ListenOptions | undefined): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (place === undefined && message.startsWith('There is no address to listen on.')) {
    return new Error(
      message.replace(
        /^Call serve\(app.*$/m,
        "Call listen(9000), listen('/run/app.sock'), or set FCGI_BRIDGE_LISTEN=127.0.0.1:9000.",
      ),
    )
  }
  if (typeof code !== 'string' || !(code in constants.errno)) return error
  return Object.assign(error as Error, {
    errno: -constants.errno[code as keyof typeof constants.errno],
    syscall: 'listen',
    ...(place?.port !== undefined && { address: place.host ?? '127.0.0.1', port: place.port }),
    ...(place?.path !== undefined && { address: place.path }),
  })
}
