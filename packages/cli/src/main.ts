#!/usr/bin/env node
import { run } from './run.ts'

// `fcgi-bridge config nginx | head -1` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

// Not process.exit(): a command that serves goes on, and output to a pipe takes its time.
process.exitCode = await run(process.argv.slice(2))
