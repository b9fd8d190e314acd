import { Listener } from '../listen/listener.ts'
import { listening } from '../listen/net-server.ts'
import { OpenSocket } from '../listen/open-socket.ts'
import { bindAtPath } from '../listen/socket-path.ts'
import { ClaimFile } from './claim-file.ts'

/** A socket that may become that of the holder. */
interface OpenClaim {
  file: ClaimFile
  socket: OpenSocket
}

/** Listens at the path `temporary`, for a claim whose file in `folder` will be `name`. */
export async function openClaim(folder: string, name: string, temporary: string): Promise<OpenClaim> {
  const file = new ClaimFile(folder, name, temporary)
  const socket = await OpenSocket.open(
    (server) =>
      bindAtPath(temporary, 0o600, () => listening(server, () => server.listen({ path: temporary }))),
    (server) => new Listener(server, { file }),
  )
  return { file, socket }
}
