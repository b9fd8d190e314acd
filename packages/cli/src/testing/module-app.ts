/** What `import('./app.js')` of a user's app gives. */
export default {
  fetch: (request: Request): Response => new Response(`hello ${new URL(request.url).pathname}`),
}
