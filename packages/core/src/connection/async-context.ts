import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/**
 * Whether `AsyncLocalStorage.enterWith()` changes the current async resource, so that each later callback of that resource sees the
 * store. This is true on Node 20 and 22. On Node 24 and 26 (`AsyncContextFrame`) the effect ends with the event loop callback, so the
 * only request of a callback needs no scope. Entering a scope costs 3 % of a small request.
 */
export const ENTER_WITH_PERSISTS: boolean = enterWithPersists()

function enterWithPersists(): boolean {
  const store = new AsyncLocalStorage<boolean>()
  const resource = new AsyncResource('FCGI_PROBE')
  resource.runInAsyncScope(() => store.enterWith(true))
  const persists = resource.runInAsyncScope(() => store.getStore()) === true
  store.disable()
  return persists
}

/**
 * Whether any AsyncLocalStorage had a store when `resource` was created. Node has no API for this, so the function inspects the
 * symbol properties of the AsyncResource. From Node 20 to 26 they are two numbers and the stores. Any other value counts as a store,
 * too: the caller then enters the resource's scope, which is always correct.
 */
export function hasStores(resource: AsyncResource): boolean {
  const properties = resource as unknown as Record<symbol, unknown>
  // On Node 20 and 22, each AsyncLocalStorage with a store adds a property.
  for (const symbol of ENTER_WITH_PERSISTS ? Object.getOwnPropertySymbols(resource) : SYMBOLS) {
    const value = properties[symbol]
    if (value !== undefined && typeof value !== 'number') return true
  }
  return false
}

// The search for them takes 3 % of a request on a new connection.
const SYMBOLS: readonly symbol[] = Object.getOwnPropertySymbols(new AsyncResource('FCGI_PROBE'))
