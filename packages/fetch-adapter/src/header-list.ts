/** Returns whether a flat list (name, value, name, value …) has a header. `name` and the names in the list must be in lower case. */
export function hasHeader(list: readonly string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) return true
  }
  return false
}

/** Returns whether a flat list with lower-case names has `Content-Type: text/event-stream`. */
export function isEventStream(list: readonly string[]): boolean {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === 'content-type') return /^text\/event-stream(?:$|[\t ;])/i.test(list[i + 1] as string)
  }
  return false
}
