import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { projectFolder } from '../app/project-folder.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import type { Output } from '../terminal.ts'
import type { SiteApp } from './site.ts'

// Also where this file is run from its source.
const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** How long a module may take to load, in milliseconds. */
const LOADING_MAX = 20_000

/**
 * Loads an app as `fcgi-bridge serve` does, in a process of its own, which ends then. Throws a Failure with what `serve` says where
 * it finds no app. Of a module that takes longer than 20 s to load nothing is known, which is printed.
 */
export async function checkApp({ file, flags }: SiteApp, stderr: Output): Promise<void> {
  const child = spawn(process.execPath, [PROGRAM, 'serve', file, ...flags, '--check'], {
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
      `${file} did not load within ${LOADING_MAX / 1000} s, so whether it has an app is not known.\n`,
    )
    return
  }
  const why =
    printed.replace(/^fcgi-bridge: /m, '').trim() || `${file} ended the program (${signal ?? code}).`
  throw new Failure(EXIT.app, `${why}\n\n${ADVICE}`)
}

const ADVICE =
  'A config for it would start a command that fails. If it only fails on this machine, say --no-check to have the config all the same.'
