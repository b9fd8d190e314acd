import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { withoutFacades } from '../../../scripts/bundle.js'

const bundles = new Map<string, string>()

/**
 * Returns tests/support/apps/NAME.js and all packages that it imports as the text of one ES module. It starts with half of the CPU time,
 * and a front server may start it for each request. This project's packages are in it as they are published.
 */
export function bundledApp(name: string): string {
  const made = bundles.get(name) ?? bundle(new URL(`../apps/${name}.js`, import.meta.url))
  bundles.set(name, made)
  return made
}

function bundle(file: URL): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(file)],
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    conditions: ['published'],
    target: 'node20.19',
    // The app finds its files next to its own source.
    define: { 'import.meta.url': JSON.stringify(file.href) },
    // Express is CommonJS, and requires Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
    logLevel: 'warning',
  })
  return withoutFacades(outputFiles[0]!.text, file.pathname)
}
