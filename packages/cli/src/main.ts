#!/usr/bin/env node
// First, so that a SIGTERM that arrives while the app loads is remembered.
import '@fcgi-bridge/core/early-signals'
import { logFileOf, programOf, sharedFolderOf } from './early-flags.ts'

const args = process.argv.slice(2)
const logFile = logFileOf(args)
const folder = sharedFolderOf(args)
const isOpen = logFile === undefined || (await (await import('./open-log.ts')).openLog(logFile, args))
if (isOpen && folder !== undefined)
  await (await import('./shared-start.ts')).shareApp(folder, programOf(args))
// Loaded last: a process that relays never gets here.
if (isOpen) await (await import('./run-command.ts')).runCommand(args)
