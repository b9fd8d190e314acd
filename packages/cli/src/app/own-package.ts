import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PACKAGE = new URL('../../package.json', import.meta.url)

/** The version of fcgi-bridge. */
export function ownVersion(): string {
  return ownPackage().version
}

/** The path of the built program, even if this file itself runs from its TypeScript source. */
export function ownProgram(): string {
  // The published package has another one than the workspace.
  return fileURLToPath(new URL(ownPackage().bin['fcgi-bridge']!, PACKAGE))
}

function ownPackage(): { version: string; bin: Record<string, string> } {
  return JSON.parse(readFileSync(PACKAGE, 'utf8'))
}
