import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { projectFolder } from '../app/project-folder.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** Throws a Failure if Node would not run a file of this name as CommonJS, because the nearest package.json makes it an ES module. */
export function assertCommonJs(file: string): void {
  if (extname(file) === '.cjs') return
  const path = join(projectFolder(file), 'package.json')
  if (!existsSync(path) || JSON.parse(readFileSync(path, 'utf8')).type !== 'module') return
  throw new Failure(
    EXIT.usage,
    `Node cannot run ${file}: ${path} has "type": "module". Name the file .cjs, or choose another folder with --output.`,
  )
}
