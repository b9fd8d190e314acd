// Bundles the packages as they are published: one file for each entry, and shared files for modules that several entries use. Node loads a
// package file by file, and each file costs about half a millisecond of an app's start. The workspace itself runs the files of `tsc`.
//
// In a package's package.json, `publishConfig.exports` has the entries that are bundled. `pnpm pack` and `pnpm publish` put it in the place
// of `exports`. With `node --conditions=published` the workspace loads the bundles, too.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { main, root, UserError } from './lib/run.js'

// Inside `dist`, which is not checked in.
const FOLDER = 'dist/bundle'

/**
 * Sources, besides the entries, that a package starts by their path: the command, worker processes, threads. Their bundles are beside each
 * other, so that `new URL('./worker.js', import.meta.url)` and `../../init/` mean the same in `dist/bundle` as in a folder of `dist`.
 */
const PROGRAMS = {
  'fcgi-bridge': ['main.ts', 'pool/worker.ts', 'dev/child.ts', 'bundler/runtime.ts'],
  '@fcgi-bridge/pool': ['worker/preload.ts', 'worker/watchdog-thread.ts'],
}

/** Bundles every package that publishes bundles. Throws a UserError for a package.json whose entries do not match. */
export async function bundlePackages() {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))
  await Promise.all(folders.map(bundlePackage))
}

/** Bundles the package in a folder. Does nothing if it publishes no bundles. @param {string} folder */
export async function bundlePackage(folder) {
  const { exports, name, publishConfig } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (publishConfig?.exports === undefined) return
  const entryPoints = []
  for (const [entry, target] of Object.entries(exports)) {
    const published = publishConfig.exports[entry]
    if (typeof target === 'string') continue
    const bundled = target.default.replace(/^\.\/dist\//, `./${FOLDER}/`)
    if (target.published !== bundled || published?.default !== bundled || published.types !== target.types) {
      throw new UserError(
        `${name}: the entry ${entry} must be ${bundled} in exports (condition "published") and in publishConfig.exports.`,
      )
    }
    const source = target.default.replace(/^\.\/dist\/|\.js$/g, '')
    entryPoints.push({ in: join(folder, 'src', `${source}.ts`), out: source })
  }
  for (const source of PROGRAMS[name] ?? []) {
    entryPoints.push({ in: join(folder, 'src', source), out: basename(source, '.ts') })
  }
  const outdir = join(folder, FOLDER)
  rmSync(outdir, { recursive: true, force: true })
  const { outputFiles } = await build({
    entryPoints,
    outdir,
    bundle: true,
    // A module that two entries use must stay one module, because it may have state.
    splitting: true,
    chunkNames: 'chunk-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    // Not minified, so that stack traces and breakpoints are readable. With --enable-source-maps they show the sources.
    sourcemap: true,
    sourcesContent: true,
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
  })
  mkdirSync(outdir, { recursive: true })
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, path.endsWith('.js') ? withoutFacades(text, path) : text)
  }
}

/**
 * Replaces imports of Node's own modules by `process.getBuiltinModule`. When an ES module imports one of them, Node reads each of its
 * exports, and some of them load much more: `import 'node:http'` loads all of undici for its export WebSocket (50 ms of CPU time),
 * `node:util` and `node:crypto` load the parser of arguments and Web Crypto. Line numbers stay as they are, for the source map. Throws a
 * UserError for an import that it does not know.
 * @param {string} text @param {string} path
 */
function withoutFacades(text, path) {
  const replaced = text.replace(
    /^import (?:(\w+)|\* as (\w+)|(\{[^}]*\})) from "(node:[^"]+)";$/gm,
    (_, name, namespace, names, module) =>
      `const ${name ?? namespace ?? names.replaceAll(' as ', ': ')} = process.getBuiltinModule("${module}");`,
  )
  const other = /^(?:import|export)\b.*"node:.*/m.exec(replaced)
  if (other !== null) throw new UserError(`${path}: scripts/bundle.js does not support ${other[0]}`)
  return replaced
}

// `node scripts/bundle.js` bundles all packages. As the script `prepack` of a package it bundles that package.
if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => (process.env.npm_package_name ? bundlePackage(process.cwd()) : bundlePackages()))
}
