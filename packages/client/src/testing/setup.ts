import { Responder, type ResponderRequest } from '@fcgi-bridge/testing'
import { onTestFinished } from 'vitest'
import { FastCgiDispatcher, type FastCgiDispatcherOptions } from '../dispatcher.ts'

/** Starts a responder and a dispatcher for it. Both are closed when the test has finished. */
export async function setup(
  handler: (request: ResponderRequest) => void,
  options: FastCgiDispatcherOptions & { kind?: 'tcp' | 'unix'; values?: Record<string, string> } = {},
): Promise<{ responder: Responder; dispatcher: FastCgiDispatcher }> {
  const { kind, values, ...rest } = options
  const responder = await Responder.listen(handler, kind, values)
  const dispatcher = new FastCgiDispatcher(responder.address, rest)
  onTestFinished(async () => {
    await dispatcher.destroy()
    await responder.close()
  })
  return { responder, dispatcher }
}

/** A handler for {@link setup} that sends each request the next of `texts` as its response. */
export function respondWith(...texts: string[]): (request: ResponderRequest) => void {
  let next = 0
  return (request) => request.respond(texts[next++ % texts.length]!)
}

/** A promise and the function that resolves it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
