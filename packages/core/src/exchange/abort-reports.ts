type Report = (error: unknown) => void

// Maps the reason of an abort to the function that reports it to `onError` of the exchange's server.
const reports = new WeakMap<object, Report>()

/** Registers the reason of an abort. `report` is called if a promise rejects with this reason and the app does not handle it. */
export function rememberAbort(reason: Error, report: Report): void {
  reports.set(reason, report)
}

/** Whether `error` is the reason of an abort. */
export function isAbortReason(error: unknown): boolean {
  return typeof error === 'object' && error !== null && reports.has(error)
}

/** Reports `error` if it is the reason of an abort. Returns false for any other value. */
export function reportAbort(error: unknown): boolean {
  const report = typeof error === 'object' && error !== null ? reports.get(error) : undefined
  report?.(error)
  return report !== undefined
}
