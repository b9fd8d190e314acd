import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { appRouter } from './trpc-router.mjs'

createHTTPServer({ router: appRouter }).listen(Number(process.env.PORT ?? 3000))
