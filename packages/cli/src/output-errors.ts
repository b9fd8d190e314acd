// What happens if standard output or standard error fails: its reader has ended, or the disk is full.

/** Makes a closed pipe end the program without an error: `fcgi-bridge config nginx | head -1`. */
export function endAtClosedOutput(): void {
  process.stdout.on('error', end)
}

/** From now on, failures are ignored: a server does not end because nobody reads its log. */
export function ignoreOutputErrors(): void {
  process.stdout.removeListener('error', end)
  for (const output of [process.stdout, process.stderr]) output.on('error', ignore)
}

function end(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit()
  throw error
}

function ignore(): void {}
