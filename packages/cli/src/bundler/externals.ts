import { isBuiltin } from 'node:module'
import { isAbsolute } from 'node:path'
import type { OnResolveArgs, Plugin } from 'esbuild'
import { relativePath } from './relative-path.ts'

/** A plugin that leaves packages out of the bundle. */
interface Externals {
  plugin: Plugin
  /** The packages and the files of native addons that the app imports, and that were left out of the bundle. */
  used(): readonly string[]
}

/**
 * Leaves Node's own modules, native addons and the packages in `names` out of the bundle. The bundle is not a module, so it cannot
 * import: all of them are loaded with require(), which loads ES modules, too. If a package that the app loads with require() or import() is
 * not installed, that call fails at run time, as in Node: many packages are optional. If an import statement names it, the build fails.
 * `folder` is the folder of the bundle.
 */
export function externalsPlugin(names: readonly string[], folder: string): Externals {
  const used = new Set<string>()
  const isExternal = (path: string): boolean =>
    names.some((name) => path === name || path.startsWith(`${name}/`))
  const plugin: Plugin = {
    name: 'externals',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async (args: OnResolveArgs) => {
        const { path, kind, pluginData } = args
        if (pluginData === SKIP || kind === 'entry-point') return undefined
        if (isBuiltin(path)) return { path, namespace: 'external', sideEffects: false }
        if (isExternal(path)) {
          used.add(path)
          return { path, namespace: 'external' }
        }
        const found = await build.resolve(path, {
          kind,
          importer: args.importer,
          namespace: args.namespace,
          resolveDir: args.resolveDir,
          pluginData: SKIP,
        })
        if (found.path.endsWith('.node')) {
          used.add(found.path)
          return { path: found.path, namespace: 'external' }
        }
        if (found.errors.length > 0 && kind !== 'import-statement' && /^[^./]/.test(path)) {
          return { path, namespace: 'external' }
        }
        return undefined
      })
      build.onLoad({ filter: /.*/, namespace: 'external' }, ({ path }) => ({
        contents: `module.exports = __fcgiBridgeRequire(${
          isAbsolute(path)
            ? `__fcgiBridgePlace(${JSON.stringify(relativePath(folder, path))}).filename`
            : JSON.stringify(path)
        })`,
        loader: 'js',
      }))
    },
  }
  return { plugin, used: () => [...used] }
}

const SKIP = Symbol('resolve this path without the plugin')
