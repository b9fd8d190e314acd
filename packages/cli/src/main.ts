#!/usr/bin/env node
// First, so that a SIGTERM that arrives while the app loads is remembered.
import '@fcgi-bridge/core/early-signals'
import { endProgram } from './end-program.ts'
import { EXIT } from './exit-codes.ts'
import { run } from './run.ts'

// A closed pipe is not an error: `fcgi-bridge config nginx | head -1`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

const status = await run(process.argv.slice(2))
// A command that serves keeps running. Its exit status is already set.
process.exitCode = status
if (status !== EXIT.ok) await endProgram(status)
