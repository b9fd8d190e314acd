import type { RequestListener } from './listener.ts'

interface ExpressApp {
  settings: Record<string, unknown>
  set(name: string, value: unknown): unknown
}

/**
 * Gives an Express app that was created without NODE_ENV its present value. Express reads the variable in `express()`, before `serve` can
 * set it. Unless it is `production`, Express sends the stacks of errors to clients.
 */
export function updateExpressEnv(app: RequestListener): void {
  const { settings, set } = app as Partial<ExpressApp>
  if (typeof set !== 'function' || settings?.env !== 'development') return
  set.call(app, 'env', process.env.NODE_ENV)
  // Express turns the view cache on in an app that is created in production.
  if (settings['view cache'] === undefined) set.call(app, 'view cache', true)
}
