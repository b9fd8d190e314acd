import { readFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import type { Loader, Plugin } from 'esbuild'
import type { Esbuild } from './find-esbuild.ts'
import { relativePath } from './relative-path.ts'

const LOADERS: Readonly<Record<string, Loader>> = {
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
}

const USES_PLACE = /\b__(?:dirname|filename)\b|\bimport\.meta\b/

/**
 * Keeps the location of each module: `__dirname`, `__filename` and `import.meta` in a bundled module have the values of its source, so that it
 * still finds its templates and other files. The bundle has the paths relative to itself.
 */
export class Places {
  /** The modules that use `__dirname`, `__filename` or `import.meta`. */
  readonly files: string[] = []
  readonly plugin: Plugin
  readonly #folder: string

  /** `folder` is the folder of the bundle. */
  constructor(esbuild: Esbuild, folder: string) {
    this.#folder = folder
    this.plugin = {
      name: 'places',
      setup: (build) => {
        build.onLoad({ filter: /\.(?:[cm]?[jt]s|[jt]sx)$/ }, async ({ path }) => {
          const text = await readFile(path, 'utf8')
          if (!USES_PLACE.test(text)) return undefined
          const loader = LOADERS[extname(path)]!
          const name = `__fcgiBridgeFiles.f${this.files.push(path) - 1}`
          const { code } = await esbuild.transform(text, {
            loader,
            sourcefile: path,
            sourcemap: 'inline',
            target: 'node20.19',
            define: {
              __dirname: `${name}.dirname`,
              __filename: `${name}.filename`,
              'import.meta': `${name}.meta`,
              'import.meta.url': `${name}.url`,
              'import.meta.dirname': `${name}.dirname`,
              'import.meta.filename': `${name}.filename`,
              'import.meta.resolve': `${name}.resolve`,
            },
          })
          return { contents: code, loader: 'js', resolveDir: dirname(path) }
        })
      },
    }
  }

  /** The properties of `__fcgiBridgeFiles`. */
  text(): string {
    return this.files
      .map(
        (file, index) => `f${index}: __fcgiBridgePlace(${JSON.stringify(relativePath(this.#folder, file))})`,
      )
      .join(', ')
  }
}
