import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import packages from './debian-packages.json' with { type: 'json' }

/** What the tests need of the machine: a program's name or a file's path, as debian-packages.json lists them. */
export type Requirement = keyof typeof packages

/**
 * The path of a required program or file, or else that of one of the `alternatives`: its name in Debian 13. Throws when none is
 * installed, with the command that installs everything: a missing front server must never pass for one that was tested.
 */
export function required(name: Requirement, ...alternatives: string[]): string {
  for (const each of [name, ...alternatives]) {
    const found = find(each)
    if (found !== undefined) return found
  }
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
