import { existsSync } from 'node:fs'
import { root, UserError } from './run.js'

/**
 * The supported Nodes, except the oldest, which must be installed on the machine. These are names of dependencies in
 * scripts/package.json. They are not dependencies of the root package, because npm would then run every script under one of them.
 */
export const NODES = ['node22', 'node24', 'node26']

/** The newest of them. */
export const NEWEST = 'node26'

/** Returns the path of one of {@link NODES}. Throws a `UserError` if it is not installed. */
export function binary(name) {
  const path = `${root}scripts/node_modules/${name}/bin/node`
  if (existsSync(path)) return path
  throw new UserError(
    `${path} is missing. The packages with the other Nodes exist for Linux on x64 only. On other systems, run \`npm test\` under each installed Node.`,
  )
}
