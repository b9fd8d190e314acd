import type { MountOption } from '@fcgi-bridge/core'
import type { FindOptions } from '../app/find-app.ts'
import type { DescribedError } from './describe-error.ts'

/** What the process of the app is started with, as JSON. */
export interface ChildOptions {
  /** The app's module. */
  file: string
  /** As the user named it. */
  name: string
  /** The Unix socket to listen on. */
  path: string
  mount: MountOption
  /** Which start of the app this is, counted from 1. */
  start: number
  find: FindOptions
}

/** How the app's process read a request: what its params came to. */
export interface ReadRequest {
  url: string
  mount: string
  remoteAddress: string | undefined
  /** name, value, name, value … */
  headers: readonly string[]
}

/** What the process of the app tells. Tagged, for the app may send messages of its own. */
export type ChildMessage =
  | { fcgiBridge: 'listening'; what: string }
  | { fcgiBridge: 'request'; trace: string; read: ReadRequest }
  /** An exception that nobody catches: the process ends of it. */
  | { fcgiBridge: 'crash'; error: DescribedError }

/** The param that says which request of the gateway's one is, for {@link ChildMessage}. */
export const TRACE_PARAM = 'FCGI_BRIDGE_TRACE'

/** Whether a process's message is one of ours. */
export function isChildMessage(message: unknown): message is ChildMessage {
  return typeof message === 'object' && message !== null && 'fcgiBridge' in message
}
