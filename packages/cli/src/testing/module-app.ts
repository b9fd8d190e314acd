/** The app of a user's module. Tests import this module as a whole. */
export default {
  fetch: (request: Request): Response => new Response(`hello ${new URL(request.url).pathname}`),
}
