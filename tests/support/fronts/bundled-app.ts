import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

const bundles = new Map<string, string>()

/**
 * Returns tests/support/apps/NAME.js and all packages that it imports as the text of one ES module. It starts with half of the CPU time,
 * and a front server may start it for each request.
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
    target: 'node20.19',
    // The app finds its files next to its own source.
    define: { 'import.meta.url': JSON.stringify(file.href) },
    // Express is CommonJS, and requires Node's own modules.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)",
    },
    logLevel: 'warning',
  })
  return outputFiles[0]!.text
}
