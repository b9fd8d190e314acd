import { realpathSync } from 'node:fs'

/** What SCRIPT_FILENAME is compared with: the path under which this process was started, with links resolved. */
export function mainProgram(): string | undefined {
  try {
    return realpathSync(process.argv[1]!)
  } catch {
    return undefined
  }
}
