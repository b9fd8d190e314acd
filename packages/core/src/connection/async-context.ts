import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/**
 * Whether `AsyncLocalStorage.enterWith()` changes the async resource it is called in, so that each later callback of that
 * resource sees the store: so it does on Node 20 and 22. On Node 24 and 26 (`AsyncContextFrame`) its effect ends with the
 * callback from the event loop, and a request that is alone in a callback needs no scope. Entering one costs 3 % of a
 * small request.
 */
export const ENTERED_CONTEXT_STAYS: boolean = staysInResource()

function staysInResource(): boolean {
  const store = new AsyncLocalStorage<boolean>()
  const resource = new AsyncResource('FCGI_PROBE')
  resource.runInAsyncScope(() => store.enterWith(true))
  const stays = resource.runInAsyncScope(() => store.getStore()) === true
  store.disable()
  return stays
}

/**
 * Whether an AsyncLocalStorage had a store where `resource` was made. Node offers no way to ask, so this looks at what an
 * AsyncResource keeps: two numbers and, from Node 20 to 26, under symbols, the stores. Other values count as stores, too: the
 * caller then enters the resource's scope, which is never wrong.
 */
export function hasStores(resource: AsyncResource): boolean {
  const kept = resource as unknown as Record<symbol, unknown>
  return Object.getOwnPropertySymbols(resource).some(
    (symbol) => kept[symbol] !== undefined && typeof kept[symbol] !== 'number',
  )
}
