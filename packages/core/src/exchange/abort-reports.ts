type Report = (error: unknown) => void

// How each reason of an abort is reported: to `onError` of the exchange's server.
const reports = new WeakMap<object, Report>()

/** Remembers the reason of an abort, and how to report it if a promise rejects with it and nobody handles that. */
export function rememberAbort(reason: Error, report: Report): void {
  reports.set(reason, report)
}

/** Whether `error` is the reason of an abort. */
export function isAbortReason(error: unknown): boolean {
  return typeof error === 'object' && error !== null && reports.has(error)
}

/** Reports `error` if it is the reason of an abort. False for any other value. */
export function reportAbort(error: unknown): boolean {
  const report = typeof error === 'object' && error !== null ? reports.get(error) : undefined
  report?.(error)
  return report !== undefined
}
