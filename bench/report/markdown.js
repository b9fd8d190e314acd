export function markdown() {
  return ''
}
