import { chmodSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findModule } from '../app/load-module.ts'
import { projectFolder } from '../app/project-folder.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'
import { type Built, build } from './build.ts'
import { type BundleText, bundleText, shiftedMap } from './bundle-text.ts'
import { assertCommonJs } from './common-js.ts'
import { type Compiled, compile } from './compile.ts'
import { type Esbuild, findEsbuild } from './find-esbuild.ts'
import { relativePath } from './relative-path.ts'
import type { BundleFlags, BundleSettings } from './runtime.ts'

/** The flags of `fcgi-bridge bundle`. */
export interface BundleCommandFlags extends BundleFlags {
  output?: string
  external?: string[]
  node: string
  sourceMap?: boolean
  /** False: do not run the app. */
  cache: boolean
  /** The path of the GET request for which the app is compiled. False: only load the app. */
  request: string | false
}

/**
 * Writes an app and its packages into one file, with their compiled code, and prints what the file needs. Throws a Failure if the app cannot be
 * bundled, or if the bundle does not start.
 */
export async function bundleApp(name: string, flags: BundleCommandFlags, stdout: Output): Promise<void> {
  const { output: named, external = [], node, sourceMap, cache, request, ...runtimeFlags } = flags
  const app = findModule(name)
  const project = projectFolder(app)
  const output = resolve(named ?? join(project, 'dist', `${basename(app).replace(/\.\w+$/, '')}.cjs`))
  if (output === app)
    throw new Failure(EXIT.usage, `--output ${output} is the app itself. Name another file.`)
  mkdirSync(dirname(output), { recursive: true })
  assertCommonJs(output)
  const esbuild = await findEsbuild(app)
  const conditions = conditionsOf(process.execArgv)
  const built = await build(esbuild, { app, output, external, conditions })
  const settings: Omit<BundleSettings, 'commentEnd'> = {
    name,
    app: relativePath(dirname(output), app),
    folder: relativePath(dirname(output), project),
    flags: withAbsolutePaths(runtimeFlags),
  }
  const nodeFlags = sourceMap ? ['--enable-source-maps', ...NODE_FLAGS] : NODE_FLAGS
  const textOf = (compiled?: Compiled): BundleText =>
    bundleText({
      node: [node, ...nodeFlags],
      settings: { ...settings, ...(compiled !== undefined && { kind: compiled.kind }) },
      source: built.source,
      code: compiled?.code,
      map: sourceMap ? `${basename(output)}.map` : undefined,
    })
  let compiled: Compiled | undefined
  if (cache) {
    // The trial must be in the same folder, because the paths in the bundle are relative to it.
    const trial = join(dirname(output), `.${basename(output)}.${process.pid}.cjs`)
    try {
      writeFileSync(trial, textOf().text, { mode: 0o700 })
      compiled = await compile({ name, program: trial, node, nodeFlags, request })
    } finally {
      rmSync(trial, { force: true })
    }
  }
  const { text, headLines } = textOf(compiled)
  if (sourceMap) replace(`${output}.map`, shiftedMap(built.map, headLines + built.mapOffset), 0o644)
  replace(output, text, 0o755)
  stdout.write(report({ name, output, bytes: text.length, what: compiled?.what, built }))
  stdout.write(await warningsOf(esbuild, built))
}

// The working directory is another one when the bundle runs.
function withAbsolutePaths(flags: BundleFlags): BundleFlags {
  const { logFile, restartFile } = flags
  return {
    ...flags,
    ...(logFile !== undefined && { logFile: resolve(logFile) }),
    ...(restartFile !== undefined && { restartFile: restartFile.map((file) => resolve(file)) }),
  }
}

// Halves the growth of memory at no cost. The app.fcgi of `init htaccess` has the same flag.
const NODE_FLAGS = ['--max-semi-space-size=1']

// Writes a new file and renames it, so that mod_fcgid starts new processes, and running ones keep their file.
function replace(path: string, text: string, mode: number): void {
  const written = `${path}.${process.pid}`
  writeFileSync(written, text, { mode })
  chmodSync(written, mode)
  renameSync(written, path)
}

// The conditions with which this Node resolves packages.
function conditionsOf(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    const [, value] = /^(?:--conditions|-C)(?:=(.*))?$/.exec(arg) ?? []
    return value ?? (/^(?:--conditions|-C)$/.test(arg) ? [args[index + 1]!] : [])
  })
}

const OWN_FOLDER = realpathSync(fileURLToPath(new URL('..', import.meta.url)))

interface Report {
  name: string
  output: string
  bytes: number
  what: string | undefined
  built: Built
}

function report({ name, output, bytes, what, built }: Report): string {
  const { placed, external } = built
  const lines = [
    `Wrote ${output}: ${name}${what === undefined ? '' : `, ${what},`} and its packages, ${(bytes / 1e6).toFixed(1)} MB.`,
  ]
  // fcgi-bridge itself needs no other file in a bundle.
  const foreign = placed.filter((file) => !file.startsWith(OWN_FOLDER))
  const own = foreign.filter((file) => packageOf(file) === undefined)
  const packages = [...new Set(foreign.map(packageOf).filter((found) => found !== undefined))]
  if (external.length > 0) {
    lines.push(
      '',
      'Not in the bundle, and loaded from node_modules when it runs:',
      ...external.map((path) => `  ${path}`),
    )
  }
  if (own.length > 0 || packages.length > 0) {
    lines.push(
      '',
      'These use __dirname, __filename or import.meta, and may read files next to them. Leave those files where they are:',
    )
    lines.push(...own.map((file) => `  ${file}`), ...packages.map((found) => `  the package ${found}`))
  }
  return `${lines.join('\n')}\n`
}

function packageOf(file: string): string | undefined {
  const [, name] = /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file) ?? []
  return name
}

// Leaves out warnings about packages, because the author of the app cannot fix them.
async function warningsOf(esbuild: Esbuild, { warnings }: Built): Promise<string> {
  const own = warnings.filter(
    ({ id, location }) =>
      // Packages without side effects cause this warning, and fcgi-bridge is one of them.
      id !== 'ignored-bare-import' && !/(?:^|\/)node_modules\//.test(location?.file ?? ''),
  )
  const texts = await esbuild.formatMessages(own, { kind: 'warning' })
  return texts.map((text) => `\n${text.trimEnd()}\n`).join('')
}
