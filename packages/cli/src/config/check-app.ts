import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { ownProgram } from '../app/own-package.ts'
import { projectFolder } from '../app/project-folder.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'
import type { SiteApp } from './site.ts'

/** How long a module may take to load, in milliseconds. */
const LOADING_MAX = 20_000

/**
 * Checks in a child process that `fcgi-bridge serve` finds an app in the module. Throws a Failure with the error message of `serve`
 * if it does not. If the module does not load within 20 s, prints that the check has no result.
 */
export async function checkApp({ file, flags }: SiteApp, stderr: Output): Promise<void> {
  const child = spawn(process.execPath, [ownProgram(), 'serve', file, ...flags, '--check'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: projectFolder(file),
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
    timeout: LOADING_MAX,
    killSignal: 'SIGKILL',
  })
  const ended = new Promise<[code: number | null, signal: string | null]>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve([code, signal]))
  })
  const [printed, [code, signal]] = await Promise.all([text(child.stderr), ended])
  if (code === EXIT.ok) return
  if (signal === 'SIGKILL') {
    stderr.write(
      `${file} did not load within ${LOADING_MAX / 1000} s, so the config was printed without checking that it exports an app.\n`,
    )
    return
  }
  const why =
    printed.replace(/^fcgi-bridge: /m, '').trim() ||
    `${file} ended the process while it was loaded (${signal ? `signal ${signal}` : `status ${code}`}).`
  throw new Failure(EXIT.app, `${why}\n\n${ADVICE}`)
}

const ADVICE =
  'No config was printed, because its command would fail to start the app. If the app fails on this machine only, use --no-check.'
