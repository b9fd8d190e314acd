import { overrideHeaders } from './headers.ts'
import { overrideRequest } from './request.ts'
import { overrideResponse } from './response.ts'

// The objects of Bun and Deno are native, and cheap as they are. Their members cannot be replaced.
const canOverride = process.versions.bun === undefined && process.versions.deno === undefined

let isOverridden = false

/**
 * Replaces the global `Request`, `Response` and `fetch`, and the members of their prototypes and of `Headers`, so that they create and accept
 * light objects. A light object builds its expensive parts (the stream of a body, a Headers object, an AbortSignal) on first use. It has
 * the platform's prototype, and behaves as the Fetch standard says. This cannot be undone, because light objects stay in use. A second call
 * changes nothing. Returns false, and changes nothing, on Bun and Deno.
 */
export function overrideGlobalObjects(): boolean {
  if (isOverridden || !canOverride) return isOverridden
  isOverridden = true
  overrideHeaders()
  overrideRequest()
  overrideResponse()
  return true
}
