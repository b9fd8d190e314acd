import type { Socket } from 'node:net'

/** What relays report. */
export interface RelayEvents {
  /** The holder does not accept the connection. Nothing was read from `front`. */
  onRefused(front: Socket): void
  /** Both connections of a relay are closed. */
  onClosed(): void
}

/** The connection of a front server, and the one to the holder. */
interface Relay {
  readonly front: Relayed
  readonly holder: Relayed
  readonly events: RelayEvents
  open: number
}

interface Relayed extends Socket {
  [RELAY]: Relay
}

const RELAY: unique symbol = Symbol('relay') as never

/**
 * Passes bytes on unchanged between a front server and the process that holds the app, in both directions, with back-pressure. The end of
 * one direction leaves the other one open. If a connection breaks, the other one is destroyed, so that its peer sees an abort. `front` must
 * be paused. `holder` may still be connecting.
 *
 * A relay process serves few requests, so V8 has compiled little of its code, and the work for a connection costs more than the bytes.
 * Therefore relays do not use `pipe()`, and all connections share their listeners. With closures, a process used 1.5 MiB more after 3000
 * requests.
 */
export function relay(front: Socket, holder: Socket, events: RelayEvents): void {
  const pair = { front: front as Relayed, holder: holder as Relayed, events, open: 2 }
  pair.front[RELAY] = pair
  pair.holder[RELAY] = pair
  if (holder.connecting) {
    holder.on('error', onRefused)
    holder.on('connect', begin)
  } else {
    begin.call(pair.holder)
  }
}

// The listeners get the connection as `this`.

function begin(this: Relayed): void {
  const { front, holder } = this[RELAY]
  holder.removeListener('error', onRefused)
  listen(front)
  listen(holder)
  front.resume()
}

function listen(side: Relayed): void {
  side.on('data', onData)
  side.on('end', onEnd)
  // 'close' follows each 'error'.
  side.on('error', ignore)
  side.on('close', onClose)
}

function ignore(): void {}

function onRefused(this: Relayed): void {
  const { front, events } = this[RELAY]
  events.onRefused(front)
}

function peerOf(side: Relayed): Relayed {
  const { front, holder } = side[RELAY]
  return side === front ? holder : front
}

function onData(this: Relayed, chunk: Buffer): void {
  const peer = peerOf(this)
  if (peer.write(chunk)) return
  this.pause()
  peer.once('drain', resumePeer)
}

function resumePeer(this: Relayed): void {
  peerOf(this).resume()
}

function onEnd(this: Relayed): void {
  const peer = peerOf(this)
  // If both directions have ended, close(2) has the same effect as shutdown(2).
  if (peer.readableEnded && peer.writableLength === 0) peer.destroy()
  else peer.end()
}

function onClose(this: Relayed): void {
  const pair = this[RELAY]
  const peer = peerOf(this)
  pair.open--
  if (pair.open === 0) pair.events.onClosed()
  if (peer.destroyed) return
  // If `this` has ended, all of its data was passed on, so let the other connection finish writing it. Nothing reads the other direction.
  if (this.readableEnded) peer.end(destroy.bind(undefined, peer))
  else peer.destroy()
}

function destroy(side: Relayed): void {
  side.destroy()
}
