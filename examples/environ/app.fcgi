#!/usr/bin/env node
// The app handles a SIGTERM that arrives while it loads once it serves, so that the first request is not lost.
process.on('SIGTERM', () => { globalThis.fcgiBridgeStop = true })
// Front servers start this file. Node reads a .fcgi file as CommonJS, so import() loads the ES modules.
// mod_fcgid passes no NODE_ENV. The working directory is the folder of this file, or of a link to it.
process.env.NODE_ENV ||= 'production'
process.chdir(__dirname)
import('./server.mjs')
