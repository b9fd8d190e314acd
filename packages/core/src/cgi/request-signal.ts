// The signals of Requests.
//
// `new Request(url, { signal })` creates a second signal that follows `signal`. For that, undici (Node 20 to 26) needs a WeakRef, an entry in a
// FinalizationRegistry, a listener and several closures. On Node 26 one of the closures keeps the Request, and everything that it refers to, alive
// until the next major collection. All this takes a third of the CPU time of a small request, and most of it in other threads, for garbage
// collection. So the Request gets the caller's own signal. undici creates the signal of each Request with `new AbortController()`, and finds
// AbortController among the globals. While its constructor runs, which calls no code of the app, that global returns the caller's controller.

// Whether the platform works in this way is tried out before the first Request.

let lent: AbortController | undefined
let platformClass!: typeof AbortController
// Undefined before the first Request.
let canLend: boolean | undefined

/**
 * Creates a Request. Its signal is that of `controller`, or follows it where that is not possible. Call {@link abortRequest} to abort it, so that
 * the clones of the Request abort, too.
 */
export function createWithController(url: string, init: RequestInit, controller: AbortController): Request {
  canLend ??= tryToLend()
  if (!canLend) return new Request(url, { ...init, signal: controller.signal })
  const request = lend(url, init, controller)
  if (request.signal === controller.signal) return request
  // The app has replaced the global Request or AbortController since.
  canLend = false
  return new Request(request, { signal: controller.signal })
}

/** Aborts the signal of a Request that was created with `controller`, and the signals of its clones. */
export function abortRequest(controller: AbortController, reason: unknown): void {
  if (canLend && !controller.signal.aborted) abortClones(controller, reason)
  // Has no effect if it was aborted above.
  controller.abort(reason)
}

// Aborts the signal, too. The signal of a clone aborts only if that of its Request follows another one, so this makes it follow one.
function abortClones(controller: AbortController, reason: unknown): void {
  const leader = new AbortController()
  lend(ANY_URL, { signal: leader.signal }, controller)
  leader.abort(reason)
}

// False on Bun and Deno, if the global cannot be replaced, and on a platform that works in another way.
function tryToLend(): boolean {
  const controller = new AbortController()
  const request = lend(ANY_URL, {}, controller)
  if (request.signal !== controller.signal) return false
  const clone = request.clone()
  abortClones(controller, undefined)
  return controller.signal.aborted && clone.signal.aborted
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

// `new LentController()` returns the controller that is lent, once.
function LentController(): AbortController {
  const controller = lent ?? new platformClass()
  takeBack()
  return controller
}

function takeBack(): void {
  if (lent === undefined) return
  lent = undefined
  Reflect.set(globalThis, 'AbortController', platformClass)
}

const ANY_URL = 'http://localhost/'
