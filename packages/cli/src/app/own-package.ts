import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PACKAGE = new URL('../../package.json', import.meta.url)

/** The version of fcgi-bridge. */
export function ownVersion(): string {
  return ownPackage().version
}

/** The path of the built program, even if this file itself runs from its TypeScript source. */
export function ownProgram(): string {
  // Its path in the published package differs from the one in the workspace.
  return fileURLToPath(new URL(ownPackage().bin['fcgi-bridge']!, PACKAGE))
}

function ownPackage(): { version: string; bin: Record<string, string> } {
  return JSON.parse(readFileSync(PACKAGE, 'utf8'))
}
