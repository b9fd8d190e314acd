import { existsSync } from 'node:fs'
import { root, UserError } from './run.js'

/**
 * The Nodes that are supported besides the oldest, which is the one that is installed. The npm packages that carry them have these
 * names in scripts/package.json. They are no dependencies of the root: npm would put them before the machine's own Node, and run
 * every script under one of them.
 */
export const NODES = ['node22', 'node24', 'node26']

/** The newest of them. */
export const NEWEST = 'node26'

/** The path of one of {@link NODES}. Throws a `UserError` where it is not installed. */
export function binary(name) {
  const path = `${root}scripts/node_modules/${name}/bin/node`
  if (existsSync(path)) return path
  throw new UserError(
    `${path} is missing: the packages that carry the other Nodes are for Linux on x64. Elsewhere, run \`npm test\` under each Node you have.`,
  )
}
