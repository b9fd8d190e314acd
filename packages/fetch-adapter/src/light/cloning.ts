import * as threads from 'node:worker_threads'

/** Requests and Responses can not be cloned; Node 20 knows no way to say so, and lets its own be cloned to nothing. */
export const markAsUncloneable: (object: object) => void =
  (threads as { markAsUncloneable?: (object: object) => void }).markAsUncloneable ?? (() => {})
