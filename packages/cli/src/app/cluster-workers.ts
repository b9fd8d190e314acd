import type { Cluster } from 'node:cluster'

// Loaded on use. getBuiltinModule() returns the default export of the module, but its type is that of all exports.
const loadCluster = (): Cluster => process.getBuiltinModule('node:cluster') as unknown as Cluster

/**
 * Makes the node:cluster workers of a program run the same command as this process, so that they serve FastCGI on the same socket. By
 * default they would run the program without fcgi-bridge. Call it before `process.argv` changes.
 */
export function runCommandInClusterWorkers(): void {
  const cluster = loadCluster()
  if (!cluster.isPrimary) return
  // setupPrimary() would also fix the scheduling policy, which the program may still set. It takes these values as its defaults.
  Object.assign(cluster.settings, { exec: process.argv[1], args: process.argv.slice(2) })
}

/** Whether this process is the primary of a node:cluster, whose workers serve. */
export function isClusterPrimary(): boolean {
  const cluster = loadCluster()
  // setupPrimary(), which fork() calls, sets all settings.
  return cluster.isPrimary && cluster.settings.silent !== undefined
}
