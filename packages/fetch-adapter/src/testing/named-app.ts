/** An app that is the named export `fetch`. */
export function fetch(): Response {
  return new Response('named app')
}
