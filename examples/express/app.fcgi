#!/usr/bin/env node
// The app handles a SIGTERM that arrives while it loads once it serves, so that the first request is not lost.
process.on('SIGTERM', () => { globalThis.fcgiBridgeStop = true })
// Front servers start this file. Node reads a .fcgi file as CommonJS, so import() loads the ES modules.
// mod_fcgid passes no NODE_ENV. The working directory is the folder of this file, or of a link to it.
process.env.NODE_ENV ||= 'production'
process.chdir(__dirname)
// Node keeps the compiled code, so that the next process starts faster (Node 22.8 and later, if this user may write to the folder).
process.getBuiltinModule('node:module').enableCompileCache?.(`${__dirname}/node_modules/.cache/node`)
import('./server.mjs')
