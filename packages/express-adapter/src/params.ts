import type { Exchange } from '@fcgi-bridge/core'

/** One param, without making an object of all of them; where a name is repeated, the last value. */
export function paramOf(exchange: Exchange, name: string): string | undefined {
  const list = exchange.rawParams
  for (let i = list.length - 2; i >= 0; i -= 2) {
    if (list[i] === name) return list[i + 1]
  }
  return undefined
}
