import type { MountOption } from '@fcgi-bridge/core'
import type { FindOptions } from '../app/find-app.ts'
import type { DescribedError } from './describe-error.ts'

/** The options of the app's process, passed as JSON. */
export interface ChildOptions {
  /** The app's module. */
  file: string
  /** The module as the user named it. */
  name: string
  /** The Unix socket to listen on. */
  path: string
  mount: MountOption
  /** The number of this start, counted from 1. */
  start: number
  find: FindOptions
  /** Replace the global `Request`, `Response` and `fetch` if the app is a fetch handler, as in production. */
  overrideGlobalObjects: boolean
}

/** How the app's process read a request's params. */
export interface ReadRequest {
  url: string
  mount: string
  remoteAddress: string | undefined
  /** name, value, name, value … */
  headers: readonly string[]
}

/** A message from the app's process. It is tagged, because the app may send its own messages. */
export type ChildMessage =
  | { fcgiBridge: 'listening'; what: string }
  | { fcgiBridge: 'request'; trace: string; read: ReadRequest }
  /** An uncaught exception, which ends the process. */
  | { fcgiBridge: 'crash'; error: DescribedError }

/** The param that identifies a request of the gateway in a {@link ChildMessage}. */
export const TRACE_PARAM = 'FCGI_BRIDGE_TRACE'

/** Whether a message is a {@link ChildMessage}, and not one of the app. */
export function isChildMessage(message: unknown): message is ChildMessage {
  return typeof message === 'object' && message !== null && 'fcgiBridge' in message
}
