/** Whether a flat list (name, value, name, value …) holds a header; `name` is in lower case, as those of the list are. */
export function hasHeader(list: readonly string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) return true
  }
  return false
}
