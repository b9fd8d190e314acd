import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/**
 * Returns the real path of a module: `name` is a file, a file without its extension, or a folder with a package. Throws a Failure
 * if there is none.
 */
export function findModule(name: string, folder: string = process.cwd()): string {
  const path = resolve(folder, name)
  try {
    return realpathSync(createRequire(`${folder}${sep}`).resolve(path))
  } catch (error) {
    const where = path === name ? '' : ` (${path})`
    const message = existsSync(path)
      ? `${name} is a folder without a main module${where}. Give the path of the app's file.`
      : `${name} does not exist${where}. Give the path of the module that exports the app.`
    throw new Failure(EXIT.app, message, { cause: error })
  }
}

/** Loads a module, and returns its exports. */
export type Load = () => Promise<Record<string, unknown>>

/**
 * Imports an ES or CommonJS module, or a file that `fcgi-bridge bundle` has written. `load` replaces the import. If the module cannot be loaded,
 * throws a Failure that shows the error with its stack. Its `code` is that of the error. Throws a {@link SyntaxErrorWithoutLocation} for a
 * syntax error without a file and a line.
 */
export async function loadModule(
  path: string,
  load: Load = () => importOrRequire(path),
): Promise<Record<string, unknown>> {
  try {
    const namespace = await load()
    return (await (namespace.default as Bundle | undefined | null)?.[BUNDLE]) ?? namespace
  } catch (error) {
    if (hasNoLocation(error)) throw new SyntaxErrorWithoutLocation(path, error)
    throw new Failure(EXIT.app, `${path} could not be loaded.\n\n${describe(error)}${advice(error)}`, {
      cause: error,
    })
  }
}

/** What a bundle exports: the exports of its app. */
interface Bundle {
  [BUNDLE]?: Promise<Record<string, unknown>>
}

const BUNDLE: unique symbol = Symbol.for('fcgi-bridge bundle') as never

// import() rejects the extension .fcgi. Node loads a main module with this extension as CommonJS, so do the same.
async function importOrRequire(path: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(path).href)
  } catch (error) {
    const isUnknown = (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION'
    if (!isUnknown || !/\.f?cgi$/.test(path)) throw error
    return { default: createRequire(path)(path) }
  }
}

// Milliseconds.
const CHECK_TIMEOUT = 10_000

/** A syntax error in an ES module. Node prints its file and line only if the error ends the program. */
export class SyntaxErrorWithoutLocation extends Failure {
  readonly error: SyntaxError
  readonly #path: string

  constructor(path: string, error: SyntaxError) {
    super(EXIT.app, `${path} could not be loaded: ${error.message}`, { cause: error })
    this.#path = path
    this.error = error
  }

  /** Returns the file and the line as Node prints them. For a process that is about to exit, use {@link endProgram} instead. */
  findLocation(): string {
    // Loaded on use, because most programs start without an error.
    const { spawnSync } = process.getBuiltinModule('node:child_process')
    const { stderr } = spawnSync(process.execPath, ['--check', this.#path], {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: CHECK_TIMEOUT,
    })
    const [location] = /^\S[^\n]*:\d+\n[^\n]*\n[ ^~]*$/m.exec(stderr ?? '') ?? []
    return (
      location ??
      `The error is in a module that it imports. \`node ${this.#path}\` prints the file and the line.`
    )
  }

  /** Lets Node print the error and exit, with the status for an app that cannot be loaded. */
  endProgram(): void {
    process.once('exit', () => {
      process.exitCode = EXIT.app
    })
    setImmediate(() => {
      throw this.error
    })
  }
}

function hasNoLocation(error: unknown): error is SyntaxError {
  return error instanceof SyntaxError && error.stack?.startsWith('SyntaxError:') === true
}

// Frames of Node and of this program do not help the app's author.
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `The module threw ${inspect(error)}.`
  return withoutInnerFrames(inspect(error))
}

// Called after a failure only, because finding the packages takes a few milliseconds.
function ownFolders(): string[] {
  // In a bundle, the packages are part of the file and have no folders.
  if (!existsSync(fileURLToPath(import.meta.url))) return []
  const require = createRequire(import.meta.url)
  const packages = ['core', 'express-adapter', 'fetch-adapter'].map(
    (name) => `@fcgi-bridge/${name}/package.json`,
  )
  return [
    fileURLToPath(new URL('..', import.meta.url)),
    ...packages.map((file) => dirname(require.resolve(file))),
  ]
}

/** Removes the frames of Node and of fcgi-bridge from a stack. */
export function withoutInnerFrames(stack: string): string {
  const inner = [' node:internal/', '(node:internal/', ...ownFolders()]
  const isInner = (line: string): boolean =>
    /^\s+at /.test(line) && inner.some((place) => line.includes(place))
  return stack
    .split('\n')
    .filter((line) => !isInner(line))
    .join('\n')
}

function advice(error: unknown): string {
  const { code, message = '' } = error as NodeJS.ErrnoException
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /\.[cm]?tsx?\b/.test(message)) {
    return '\n\nThis Node does not run TypeScript. Use Node 22.18 or later, or install tsx and set NODE_OPTIONS="--import tsx".'
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    return isFileMissing(message)
      ? '\n\nCheck the path in the import. An ES module must name the file with its extension, as in `./app.js`.'
      : '\n\nCheck that the package is installed: run `npm install` in the folder of the app.'
  }
  return mixedAdvice(error)
}

// Node quotes the full path of a missing file of an ES module, what `require` was given in a CommonJS module, and the name of a missing package.
function isFileMissing(message: string): boolean {
  return /^Cannot find module '(?:\/|\.\.?\/|[A-Za-z]:\\)/.test(message)
}

// Advice for a module that mixes the syntax of ES modules with that of CommonJS.
function mixedAdvice(error: unknown): string {
  if (error instanceof ReferenceError) {
    const [, name] = /^(\w+) is not defined in ES module scope/.exec(error.message) ?? []
    const esm = name && IN_ES_MODULES[name]
    if (esm) {
      return `\n\nThe file is an ES module: it has import or export, or its name ends in .mjs, or its package.json has "type": "module". Write ${esm}. To keep CommonJS, rename the file to .cjs and use no import or export.`
    }
  }
  const isImport =
    error instanceof SyntaxError &&
    /^Cannot use import statement outside a module|^Unexpected token '(?:export|import)'/.test(error.message)
  return isImport
    ? '\n\nThe file is a CommonJS module, which cannot use import and export. Rename it to .mjs, or run `npm pkg set type=module` in the folder of the app if its name ends in .js.'
    : ''
}

/** What an ES module uses in place of a variable of CommonJS. */
const IN_ES_MODULES: Readonly<Record<string, string>> = {
  module: '`export default app` in place of `module.exports = app`',
  exports: '`export const name = …` in place of `exports.name = …`',
  require: "`import express from 'express'` in place of `require()`",
  __dirname: '`import.meta.dirname` in place of `__dirname`',
  __filename: '`import.meta.filename` in place of `__filename`',
}
