import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, BuildResult, Message } from 'esbuild'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { externalsPlugin } from './externals.ts'
import type { Esbuild } from './find-esbuild.ts'
import { Places } from './places.ts'

/** What to bundle. All paths are absolute. */
interface BuildInput {
  /** The app's module. */
  app: string
  /** The file to write. */
  output: string
  /** Packages that are not bundled. */
  external: readonly string[]
  /** Export conditions, in addition to Node's own. */
  conditions: readonly string[]
}

/** A bundle: a function expression, in ASCII. The function is not async: it starts to load the app, and sets `__fcgiBridge.result` to a promise. */
export interface Built {
  source: string
  /** The source map of `source` as JSON. Its sources are relative to the folder of the output. */
  map: string
  /** How many lines of `source` precede those that the map describes. */
  mapOffset: number
  warnings: readonly Message[]
  /** Modules of the app and its packages that use `__dirname`, `__filename` or `import.meta`, so their folders are needed at run time. */
  placed: readonly string[]
  /** Packages and native addons that are loaded from `node_modules` at run time. */
  external: readonly string[]
}

const RUNTIME = fileURLToPath(new URL('./runtime.js', import.meta.url))

/**
 * Bundles an app, its packages, and the runtime that serves the app. The bundle is a script, because programs cannot get V8's code cache of ES
 * modules. esbuild's format is nevertheless `esm`: with `cjs`, no module could await at its top level. Throws a Failure with the errors of esbuild.
 */
export async function build(
  esbuild: Esbuild,
  { app, output, external, conditions }: BuildInput,
): Promise<Built> {
  const folder = dirname(output)
  const places = new Places(esbuild, folder)
  const externals = externalsPlugin(external, folder)
  let result: BuildResult<{ write: false; outfile: string }>
  try {
    result = await esbuild.build({
      stdin: { contents: entry(app), resolveDir: folder, sourcefile: 'bundle' },
      outfile: output,
      write: false,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      conditions: [...conditions],
      plugins: [externals.plugin, places.plugin],
      // Frameworks read the names of functions and classes. esbuild renames those that several modules use.
      keepNames: true,
      charset: 'ascii',
      sourcemap: 'external',
      logLevel: 'silent',
    })
  } catch (error) {
    throw await buildFailure(esbuild, error as BuildFailure)
  }
  const [map, code] = ['.map', ''].map(
    (end) => result.outputFiles.find(({ path }) => path === output + end)!.text,
  )
  const head = `(function (__fcgiBridgeRequire, module, exports, __fcgiBridge, __fcgiBridgePlace) {
const require = __fcgiBridgeRequire
const __fcgiBridgeFiles = {${places.text()}}
`
  return {
    source: `${head}${code!}})`,
    map: map!,
    mapOffset: head.split('\n').length - 1,
    warnings: result.warnings,
    placed: places.files,
    external: externals.used(),
  }
}

// Imports the app and the runtime lazily. The runtime runs first. Under `fcgi-bridge serve` it does not run at all.
function entry(app: string): string {
  const load = `() => import(${JSON.stringify(app)})`
  return `__fcgiBridge.result = __fcgiBridge.isMain
  ? import(${JSON.stringify(RUNTIME)}).then(({ serveBundle }) => serveBundle(__fcgiBridge, ${load}))
  : (${load})()`
}

async function buildFailure(esbuild: Esbuild, error: BuildFailure): Promise<Error> {
  if (!Array.isArray(error.errors)) return error
  const messages = await esbuild.formatMessages(error.errors, { kind: 'error' })
  const unresolved = error.errors.some(({ text }) => /^Could not resolve|^No loader/.test(text))
  const advice = unresolved
    ? '\n\nInstall what is missing, or load a package from node_modules at run time: add --external PACKAGE.'
    : ''
  return new Failure(EXIT.app, `The app cannot be bundled.\n\n${messages.join('').trimEnd()}${advice}`, {
    cause: error,
  })
}
