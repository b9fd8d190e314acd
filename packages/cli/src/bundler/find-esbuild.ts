import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** The package esbuild. */
export type Esbuild = typeof import('esbuild')

/**
 * Loads esbuild from the project of `app`, or else from where this package is installed. Throws a Failure with the command that installs it. It
 * is an optional peer dependency, because its executable is larger than all of fcgi-bridge, and only `bundle` needs it.
 */
export async function findEsbuild(app: string): Promise<Esbuild> {
  for (const from of [app, import.meta.url]) {
    let path: string
    try {
      path = createRequire(from).resolve('esbuild')
    } catch {
      continue
    }
    const loaded = await import(pathToFileURL(path).href)
    return loaded.default ?? loaded
  }
  throw new Failure(
    EXIT.failed,
    'fcgi-bridge bundle needs esbuild, and it is not installed. Run this in the folder of the app: npm install --save-dev esbuild',
    { code: 'ERR_MODULE_NOT_FOUND' },
  )
}
