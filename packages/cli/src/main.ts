#!/usr/bin/env node
// First, so that a SIGTERM that arrives while the app loads is remembered.
import '@fcgi-bridge/core/early-signals'
import { logFileOf, sharedFolderOf } from './early-flags.ts'

const args = process.argv.slice(2)
const mustPrepare = logFileOf(args) !== undefined || sharedFolderOf(args) !== undefined
const isReady = !mustPrepare || (await (await import('./prepare.ts')).prepare(args))
// Loaded last: a process that relays never gets here.
if (isReady) await (await import('./run-command.ts')).runCommand(args)
