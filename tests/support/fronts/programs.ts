import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import packages from './debian-packages.json' with { type: 'json' }

/** A program or file that the tests need, as listed in debian-packages.json. */
type Requirement = keyof typeof packages

/**
 * Returns the path of a required program or file, or of one of the `alternatives`, which are its names in Debian 13.
 * Throws an error with the command that installs everything if none exists: tests with a missing front server must not
 * pass.
 */
export function required(name: Requirement, ...alternatives: string[]): string {
  for (const each of [name, ...alternatives]) {
    const found = find(each)
    if (found !== undefined) return found
  }
  const all = [...new Set(Object.values(packages))].join(' ')
  throw new Error(`${name} is not installed. Run: apt-get install --no-install-recommends ${all}`)
}

// Daemons are often in sbin folders, which a user's PATH does not contain.
function find(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  const paths = isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name))
  return paths.find((path) => {
    try {
      accessSync(path, isAbsolute(name) ? constants.R_OK : constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
