export function load() {
  throw new Error('secret')
}
