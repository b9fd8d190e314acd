/**
 * Whether this process is a worker of a node:cluster, and connected to its primary. Loading node:cluster takes some milliseconds, so it is loaded
 * only in a process that may be a worker.
 */
export function isClusterWorker(): boolean {
  return (
    process.connected &&
    (process.getBuiltinModule('node:cluster') as unknown as { isWorker: boolean }).isWorker
  )
}
