import { rememberRestartFiles, watchRestartFiles } from '@fcgi-bridge/core/manager'
import { isClusterPrimary } from './cluster-workers.ts'

// How long (milliseconds) the app may go on loading when a restart file has changed. Most apps serve by then. They drain at once, so the request
// that waits for them is not lost.
const LOADING_TIMEOUT = 5000

/** A restart file changed, and the app did not serve soon enough after that. */
export class RestartRequest extends Error {
  constructor() {
    super('The app is restarting, because a restart file changed while it was loading.')
    this.name = 'RestartRequest'
  }
}

/**
 * Calls `load`, which loads and serves an app, and watches `files` until its promise settles. If one of them changes, the server that the
 * app starts drains at once. If there is none after five seconds, rejects with a {@link RestartRequest}: a program that exports no app can wait for
 * half a minute, and its user has corrected it.
 */
export async function untilRestart(files: readonly string[], load: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let stopWatching = (): void => {}
  const restart = new Promise<never>((_, reject) => {
    stopWatching = watchRestartFiles(files, () => {
      // The primary of a cluster never serves. Its workers watch the files, too.
      if (isClusterPrimary()) return
      timer ??= setTimeout(() => reject(new RestartRequest()), LOADING_TIMEOUT).unref()
    })
  })
  rememberRestartFiles(files)
  try {
    await Promise.race([load(), restart])
  } finally {
    stopWatching()
    clearTimeout(timer)
  }
}
