import { overrideHeaders } from './headers.ts'
import { overrideRequest } from './request.ts'
import { overrideResponse } from './response.ts'

let isOverridden = false

/**
 * Replaces the global `Request`, `Response` and `fetch`, and the members of their prototypes and of `Headers`, so that they create and accept
 * light objects. A light object builds its expensive parts (the stream of a body, a Headers object, an AbortSignal) on first use. It has
 * the platform's prototype, and behaves as the Fetch standard says. This cannot be undone, because light objects stay in use. A second call
 * changes nothing.
 */
export function overrideGlobalObjects(): void {
  if (isOverridden) return
  isOverridden = true
  overrideHeaders()
  overrideRequest()
  overrideResponse()
}
