// The signals of Requests.
//
// `new Request(url, { signal })` creates a second signal that follows `signal`. For that, undici (Node 20 to 26) needs a WeakRef, an entry in a
// FinalizationRegistry, a listener and several closures. On Node 26 one of the closures keeps the Request, and everything that it refers to, alive
// until the next major collection. All this takes a third of the CPU time of a small request, and most of it in other threads, for garbage
// collection. So the Request gets the caller's own signal. undici creates the signal of each Request with `new AbortController()`, and finds
// AbortController among the globals. While its constructor runs, which calls no code of the app, that global returns the caller's controller.

let lent: AbortController | undefined
let platformClass!: typeof AbortController
// False on Bun and Deno, whose Requests have a signal of their own, and if the global cannot be replaced.
let canLend = process.versions.bun === undefined && process.versions.deno === undefined

/**
 * Creates a Request. Its signal is that of `controller`, or follows it where that is not possible. Call {@link abortRequest} to abort it, so that
 * the clones of the Request abort, too.
 */
export function createWithController(url: string, init: RequestInit, controller: AbortController): Request {
  if (canLend) {
    const request = lend(url, init, controller)
    if (request.signal === controller.signal) return request
    canLend = false
  }
  return new Request(url, { ...init, signal: controller.signal })
}

/** Aborts the signal of a Request that was created with `controller`, and the signals of its clones. */
export function abortRequest(controller: AbortController, reason: unknown): void {
  if (canLend && !controller.signal.aborted) {
    // The signal of a clone aborts only if that of the Request follows another one.
    const leader = new AbortController()
    lend('http://localhost/', { signal: leader.signal }, controller)
    leader.abort(reason)
  }
  // Has no effect if it was aborted above.
  controller.abort(reason)
}

function lend(url: string, init: RequestInit, controller: AbortController): Request {
  // The first access to Request loads undici, which creates an AbortController of its own.
  const { Request } = globalThis
  platformClass = globalThis.AbortController
  lent = controller
  Reflect.set(globalThis, 'AbortController', LentController)
  try {
    return new Request(url, init)
  } finally {
    takeBack()
  }
}

// `new LentController()` returns the controller that is lent. It can be called once.
function LentController(): AbortController {
  const controller = lent!
  takeBack()
  return controller
}

function takeBack(): void {
  if (lent === undefined) return
  lent = undefined
  Reflect.set(globalThis, 'AbortController', platformClass)
}
