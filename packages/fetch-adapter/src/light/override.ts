import { overrideHeaders } from './headers.ts'
import { overrideRequest } from './request.ts'
import { overrideResponse } from './response.ts'

let isOverridden = false

/**
 * Makes the global `Request` and `Response` give, and understand, objects that build what is costly of them (a stream for a
 * body, a Headers object, an AbortSignal) only when somebody asks for it. They have the platform's own prototypes, and
 * behave as the Fetch standard says. It stays so as long as the process lives, for such objects do; a second
 * call changes nothing.
 */
export function overrideGlobalObjects(): void {
  if (isOverridden) return
  isOverridden = true
  overrideHeaders()
  overrideRequest()
  overrideResponse()
}
