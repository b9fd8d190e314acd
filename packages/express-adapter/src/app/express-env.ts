import type { RequestListener } from './listener.ts'

interface ExpressApp {
  settings: Record<string, unknown>
  set(name: string, value: unknown): unknown
}

/**
 * Gives an Express app that was made without a NODE_ENV the one that there is now. Express reads the variable in
 * `express()`, before `serve` can set it, and sends the stack of an error to the client unless it is `production`.
 */
export function updateExpressEnv(app: RequestListener): void {
  const { settings, set } = app as Partial<ExpressApp>
  if (typeof set !== 'function' || settings?.env !== 'development') return
  set.call(app, 'env', process.env.NODE_ENV)
  // Express turns it on by itself in an app that is made in production.
  if (settings['view cache'] === undefined) set.call(app, 'view cache', true)
}
