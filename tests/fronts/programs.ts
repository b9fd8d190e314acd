import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import packages from './debian-packages.json' with { type: 'json' }

/** What the tests need of the machine: a program's name or a file's path, as debian-packages.json lists them. */
export type Requirement = keyof typeof packages

/**
 * Where a required program or file is. Throws when it is not installed, with the command that installs
 * everything: a front server that is missing must never pass for one that was tested.
 */
export function required(name: Requirement): string {
  const found = find(name)
  if (found !== undefined) return found
  const all = [...new Set(Object.values(packages))].join(' ')
  throw new Error(`${name} is not installed. Run: apt-get install --no-install-recommends ${all}`)
}

// Daemons are often in the sbin folders, which a user's PATH leaves out.
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
