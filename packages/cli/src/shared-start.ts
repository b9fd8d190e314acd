import { share } from '@fcgi-bridge/core/shared'

/**
 * Shares the app with the other processes that the front server starts. Resolves in the process that must serve it. If the folder cannot
 * be used, each process serves the app alone. A process that relays ends when `program`, the file that the front server runs, changes.
 */
export async function shareApp(folder: string, program: string | undefined): Promise<void> {
  try {
    await share({ folder, program })
  } catch (error) {
    process.stderr.write(
      `fcgi-bridge: the app is not shared between processes. ${error instanceof Error ? error.message : error}\n`,
    )
  }
}
