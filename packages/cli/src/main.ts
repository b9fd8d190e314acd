#!/usr/bin/env node
import { endProgram } from './end-program.ts'
import { EXIT } from './exit-codes.ts'
import { run } from './run.ts'

// `fcgi-bridge config nginx | head -1` is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

const status = await run(process.argv.slice(2))
// A command that serves goes on, with the status of a later end already set.
process.exitCode = status
if (status !== EXIT.ok) await endProgram(status)
