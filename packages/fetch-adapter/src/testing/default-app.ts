export default {
  port: 3000,
  fetch: (): Response => new Response('default app'),
}
