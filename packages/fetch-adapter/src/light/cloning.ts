import * as threads from 'node:worker_threads'

/**
 * Makes `structuredClone` throw for an object, as it does for native Requests and Responses. Does nothing on Node 20, which cannot mark
 * objects, and clones its own Requests and Responses to empty objects.
 */
export const markAsUncloneable: (object: object) => void =
  (threads as { markAsUncloneable?: (object: object) => void }).markAsUncloneable ?? (() => {})
