/** Converts [name, value, name, value…] to pairs. */
export function pairs(list: readonly string[]): [name: string, value: string][] {
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]!]] : []))
}
