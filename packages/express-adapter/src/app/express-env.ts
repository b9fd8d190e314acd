import type { RequestListener } from './listener.ts'

interface ExpressApp {
  settings: Record<string, unknown>
  set(name: string, value: unknown): unknown
}

/**
 * Sets the `env` setting of an Express app to NODE_ENV, if the app was created while the variable was not set. Express reads the variable
 * in `express()`, before `serve` can set it. Unless it is `production`, Express sends the stacks of errors to clients.
 */
export function updateExpressEnv(app: RequestListener): void {
  const { settings, set } = app as Partial<ExpressApp>
  if (typeof set !== 'function' || settings?.env !== 'development') return
  set.call(app, 'env', process.env.NODE_ENV)
  // Express turns the view cache on in an app that is created in production.
  if (settings['view cache'] === undefined) set.call(app, 'view cache', true)
}
