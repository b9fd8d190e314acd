export function fetch(): Response {
  return new Response('named app')
}
