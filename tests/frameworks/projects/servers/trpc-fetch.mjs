import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { appRouter } from './trpc-router.mjs'

export default {
  fetch: (request) => fetchRequestHandler({ endpoint: '/trpc', req: request, router: appRouter }),
}
