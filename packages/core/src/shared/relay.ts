import type { Duplex } from 'node:stream'

/**
 * Passes bytes on unchanged between a front server and the process that holds the app, in both directions, with back-pressure. The end of
 * one direction leaves the other one open. If a connection breaks, the other one is destroyed, so that its peer sees an abort. Resolves when
 * both are closed.
 */
export async function relay(front: Duplex, holder: Duplex): Promise<void> {
  front.pipe(holder)
  holder.pipe(front)
  await Promise.all([closeTogether(front, holder), closeTogether(holder, front)])
}

function closeTogether(one: Duplex, other: Duplex): Promise<void> {
  // 'close' follows each 'error'.
  one.on('error', () => {})
  return new Promise((resolve) => {
    one.once('close', () => {
      resolve()
      // If `one` has ended, all of its data was passed on, so let `other` finish writing it. Data from `other` has no receiver any more.
      if (one.readableEnded) other.end(() => other.destroy())
      else other.destroy()
    })
  })
}
