import type { Duplex } from 'node:stream'

/**
 * Passes bytes on between a front server and the holder as they are, in both directions, with back-pressure. The end of one direction
 * leaves the other one open. If a connection breaks, the other one is destroyed, so that its peer sees an abort. Resolves when both are
 * closed.
 */
export async function relay(front: Duplex, holder: Duplex): Promise<void> {
  front.pipe(holder)
  holder.pipe(front)
  await Promise.all([follow(front, holder), follow(holder, front)])
}

function follow(one: Duplex, other: Duplex): Promise<void> {
  // 'close' follows each 'error'.
  one.on('error', () => {})
  return new Promise((resolve) => {
    one.once('close', () => {
      resolve()
      // It has passed on all that it had if its own end was seen. The rest of the other direction has no reader.
      if (one.readableEnded) other.end(() => other.destroy())
      else other.destroy()
    })
  })
}
