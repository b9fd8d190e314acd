// Serves the app of a bundle. Part of each file that `fcgi-bridge bundle` writes.

import '@fcgi-bridge/core/early-signals'
import type { AppKind } from '../app/recognize.ts'
import { serveApp } from '../app/serve-app.ts'
import { endProgram } from '../end-program.ts'
import { EXIT } from '../exit-codes.ts'
import { reportError } from '../failure.ts'
import { logToFile } from '../log-file.ts'

/** The settings that `fcgi-bridge bundle` has written into the file. */
export interface BundleSettings {
  /** The app as the user named it. */
  name: string
  /** The path of the app's module, relative to the bundle. */
  app: string
  /** The folder of the app's project, relative to the bundle. */
  folder: string
  /** The source is stored in a comment. This text replaces the end of each comment in the source. */
  commentEnd: string
  /** What the module exports. Undefined if `fcgi-bridge bundle` has not run the app yet, or never does (`--no-cache`). */
  kind?: AppKind | 'program'
  flags: BundleFlags
}

/** The flags of `fcgi-bridge serve` that a bundle has. */
export interface BundleFlags {
  as?: AppKind
  export?: string
  mount?: 'auto' | 'script-name' | 'none' | `/${string}`
  maxBody?: number
  logFile?: string
  restartFile?: string[]
  overrideGlobalObjects: boolean
}

/** What {@link serveBundle} gets from `init/bundle.cjs`, the first part of each bundle. */
interface BundleProgram {
  settings: BundleSettings
  /** The folder of the app's project. */
  folder: string
  /** The path of the bundle. */
  file: string
  /** The listener that remembers an early SIGTERM. */
  onSigterm: () => void
}

/** Serves the app that `load` loads, as `fcgi-bridge serve` does. A failure ends the process. */
export async function serveBundle(
  { settings, folder, file, onSigterm }: BundleProgram,
  load: () => Promise<Record<string, unknown>>,
): Promise<void> {
  const { name, flags } = settings
  try {
    if (flags.logFile !== undefined) logToFile(flags.logFile)
    const { FCGI_BRIDGE_BUNDLING_REQUEST } = process.env
    const isLoadedOnly = FCGI_BRIDGE_BUNDLING_REQUEST === 'none'
    await serveApp(name, { ...flags, logFormat: 'short' }, {}, undefined, {
      load,
      folder,
      file,
      mayListen: settings.kind === undefined || settings.kind === 'program',
      onServe: async (kind, what) => {
        process.send?.({ kind, what })
        if (isLoadedOnly) await endProgram(EXIT.ok)
      },
    })
  } catch (error) {
    const { text, exitCode } = reportError(error)
    process.stderr.write(`fcgi-bridge: ${text}\n`)
    await endProgram(exitCode)
  } finally {
    // The server has listeners of its own now.
    process.off('SIGTERM', onSigterm)
  }
}
