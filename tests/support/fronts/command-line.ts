import { chmodSync, existsSync, symlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Site } from './site.ts'

/** The program `fcgi-bridge` as it is published: bundled. */
export const COMMAND_LINE: string = fileURLToPath(
  new URL('../../../packages/cli/dist/bundle/main.js', import.meta.url),
)

/** Creates a folder with `node` and `fcgi-bridge`, as npm install puts them on the PATH. Returns its path. */
export function installCommandLine(site: Site): string {
  const bin = site.makeFolder('bin')
  if (existsSync(`${bin}/fcgi-bridge`)) return bin
  chmodSync(COMMAND_LINE, 0o755)
  symlinkSync(process.execPath, `${bin}/node`)
  symlinkSync(COMMAND_LINE, `${bin}/fcgi-bridge`)
  return bin
}
