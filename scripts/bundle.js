// Bundles the packages as they are published: one file for each entry, and shared files for modules that several entries use. Node loads a
// package file by file, and each file costs about half a millisecond of an app's start. The workspace itself runs the files of `tsc`,
// except programs that tests/ starts: tests/support/published.ts.
//
// In a package's package.json, `publishConfig.exports` has the entries that are bundled. `pnpm pack` and `pnpm publish` put it in the place
// of `exports`. With `node --conditions=published` the workspace loads the bundles, too.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { replaceFile } from './lib/replace-file.js'
import { main, root, UserError } from './lib/run.js'

// Inside `dist`, which is not checked in.
const FOLDER = 'dist/bundle'

/** The packages whose entries share one file. The others load what few commands use only on use. */
const ONE_CHUNK = new Set(['@fcgi-bridge/core'])

const SHARED_FILE = 'chunk-shared.js'

/**
 * Sources, besides the entries, that a package starts by their path: the command, worker processes, threads. Their bundles are next to each
 * other, so that `new URL('./worker.js', import.meta.url)` and `../../init/` mean the same in `dist/bundle` as in a folder of `dist`.
 */
const PROGRAMS = {
  'fcgi-bridge': [
    'main.ts',
    'log-failure.ts',
    'app/detach.ts',
    'pool/worker.ts',
    'dev/child.ts',
    'bundler/runtime.ts',
  ],
  '@fcgi-bridge/pool': ['worker/preload.ts', 'worker/watchdog-thread.ts'],
}

/**
 * Sources that a program of CommonJS loads, with the entries of other packages that are bundled into them: each of them is one CommonJS file
 * that loads nothing else. What it imports dynamically and is in {@link PROGRAMS} stays in a file of its own.
 */
const COMMON_JS = {
  'fcgi-bridge': { 'prepare.ts': { '@fcgi-bridge/core/shared': 'packages/core/src/shared/share.ts' } },
}

/** Bundles every package that publishes bundles. Throws a UserError for a package.json whose entries do not match. */
export async function bundlePackages() {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))
  await Promise.all(folders.map(bundlePackage))
}

/** Bundles the package in a folder. Does nothing if it publishes no bundles. @param {string} folder */
async function bundlePackage(folder) {
  const { exports, name, publishConfig, sideEffects } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
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
  const options = { ...OPTIONS, entryPoints, outdir }
  const { outputFiles } = ONE_CHUNK.has(name)
    ? await buildWithOneChunk(options, (file) => hasSideEffects(sideEffects, folder, file))
    : await bundle(options)
  const files = outputFiles.map(({ path, text }) => [
    path,
    path.endsWith('.js') ? withoutFacades(text, path) : text,
  ])
  for (const [source, packages] of Object.entries(COMMON_JS[name] ?? {})) {
    const file = join(outdir, `${basename(source, '.ts')}.cjs`)
    files.push(...(await commonJs(join(folder, 'src', source), file, packages, PROGRAMS[name])))
  }
  replaceFiles(outdir, files)
}

/**
 * Bundles `source` as one CommonJS file. Returns it and its source map.
 * @param {string} source @param {string} outfile @param {Record<string, string>} packages @param {string[]} programs
 */
async function commonJs(source, outfile, packages, programs) {
  const own = new Set(programs.map((program) => `./${program}`))
  const { outputFiles } = await bundle({
    ...OPTIONS,
    entryPoints: [source],
    outfile,
    splitting: false,
    format: 'cjs',
    plugins: [
      {
        name: 'own files',
        setup({ onResolve }) {
          onResolve({ filter: /^/ }, ({ kind, path }) => {
            if (packages[path] !== undefined) return { path: join(root, packages[path]) }
            return kind === 'dynamic-import' && own.has(path)
              ? { path: `./${basename(path, '.ts')}.js`, external: true }
              : undefined
          })
        },
      },
    ],
  })
  return outputFiles.map(({ path, text }) => [path, text])
}

/**
 * Makes these files the only ones of a folder. A file that has this content stays as it is, because running programs may load it.
 * @param {string} folder @param {[path: string, text: string][]} files
 */
function replaceFiles(folder, files) {
  const paths = new Set(files.map(([path]) => path))
  mkdirSync(folder, { recursive: true })
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath ?? entry.path, entry.name)
    if (entry.isFile() && /\.(?:c?js|map)$/.test(path) && !paths.has(path)) rmSync(path)
  }
  for (const [path, text] of files) {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    mkdirSync(dirname(path), { recursive: true })
    replaceFile(path, text)
  }
}

// The first statement of every file, because the file that Node runs first depends on what the program imports. Node before 20.16 has no
// getBuiltinModule, and would end with a TypeError that does not name the version.
const NODE_CHECK =
  'if (!process.getBuiltinModule) throw new Error("fcgi-bridge needs Node 20.19 or later. This is Node " + process.versions.node + ". Install a newer Node.");'

/** @type {import('esbuild').BuildOptions & { write: false }} */
const OPTIONS = {
  bundle: true,
  banner: { js: NODE_CHECK },
  // The texts and the names of chunks contain paths relative to it. They must not depend on the folder in which the command runs.
  absWorkingDir: root,
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
}

/** esbuild's build(), whose types depend on its options. */
const bundle = /** @type {(options: any) => Promise<any>} */ (build)

/**
 * Builds with one file for all modules that several entries use. esbuild makes a file for each combination of entries: ten for the main entry of
 * core, and each takes half a millisecond of every start. A module with side effects stays out of the file, because entries that do
 * not import it must not run it.
 * @param {any} options esbuild's.
 * @param {(file: string) => boolean} hasSideEffects
 */
async function buildWithOneChunk(options, hasSideEffects) {
  const { metafile } = await bundle({ ...options, metafile: true })
  const chunks = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint === undefined)
  const inputs = chunks.flatMap((output) => Object.keys(output.inputs)).map((file) => resolve(root, file))
  const shared = new Set(inputs.filter((file) => !hasSideEffects(file)))
  const chunk = await bundle({
    ...options,
    entryPoints: undefined,
    stdin: {
      contents: [...shared].map((file) => `export * from ${JSON.stringify(file)}\n`).join(''),
      resolveDir: root,
    },
    splitting: false,
    outdir: undefined,
    outfile: join(options.outdir, SHARED_FILE),
    metafile: true,
  })
  const [built] = Object.values(chunk.metafile.outputs).filter(({ exports }) => exports.length > 0)
  const foreign = Object.keys(built.inputs).find(
    (file) => file !== '<stdin>' && !shared.has(resolve(root, file)),
  )
  if (foreign !== undefined)
    throw new UserError(`${foreign} has side effects, and modules of several entries import it.`)
  // An entry whose module is in the shared file only passes on its exports.
  const isShared = (entry) => shared.has(entry.in)
  const stubs = options.entryPoints.filter(isShared).map((entry) => {
    const path = join(options.outdir, `${entry.out}.js`)
    const output = Object.keys(metafile.outputs).find((output) => resolve(root, output) === path)
    const { exports } = metafile.outputs[/** @type {string} */ (output)]
    const to = relative(dirname(path), join(options.outdir, SHARED_FILE))
    return { path, text: `export { ${exports.join(', ')} } from "${to.startsWith('.') ? to : `./${to}`}";\n` }
  })
  const entries = await bundle({
    ...options,
    entryPoints: options.entryPoints.filter((entry) => !isShared(entry)),
    plugins: [
      {
        name: 'shared file',
        setup({ onResolve }) {
          onResolve({ filter: /^\./ }, ({ path, resolveDir }) =>
            shared.has(join(resolveDir, path)) ? { path: SHARED_FILE, external: true } : undefined,
          )
        },
      },
    ],
  })
  for (const file of entries.outputFiles) {
    if (!file.path.endsWith('.js')) continue
    const up = relative(dirname(file.path), options.outdir) || '.'
    const text = file.text.replace(
      new RegExp(`^(import|export) (\\{[^}]*\\} from )?"${SHARED_FILE}";$`, 'gm'),
      (_, word, names = '') => {
        const missing = [...names.matchAll(/([\w$]+)(?: as [\w$]+)?/g)]
          .map(([, name]) => name)
          .find((name) => name !== 'from' && !built.exports.includes(name))
        if (missing !== undefined)
          throw new UserError(`Two modules of ${options.outdir} export ${missing}. Rename one.`)
        return `${word} ${names}"${up}/${SHARED_FILE}";`
      },
    )
    if (text.includes(`"${SHARED_FILE}"`))
      throw new UserError(`${file.path}: write \`export {} from\` instead of \`export *\`.`)
    Object.defineProperty(file, 'text', { value: text })
  }
  return { outputFiles: [...chunk.outputFiles, ...stubs, ...entries.outputFiles] }
}

function hasSideEffects(sideEffects, folder, file) {
  return (
    sideEffects !== false &&
    sideEffects.includes(
      `./${relative(join(folder, 'src'), file).replace(/^/, 'dist/').replace(/\.ts$/, '.js')}`,
    )
  )
}

/**
 * Replaces imports of Node's own modules by `process.getBuiltinModule`. When an ES module imports one of them, Node reads each of its
 * exports, and some of them load much more: `import 'node:http'` loads all of undici for its export WebSocket (50 ms of CPU time),
 * `node:util` and `node:crypto` load the parser of arguments and Web Crypto. Line numbers stay as they are, for the source map. Throws a
 * UserError for an import that it does not know.
 * @param {string} text @param {string} path
 */
export function withoutFacades(text, path) {
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
  await main(() =>
    process.env.npm_lifecycle_event === 'prepack' ? bundlePackage(process.cwd()) : bundlePackages(),
  )
}
