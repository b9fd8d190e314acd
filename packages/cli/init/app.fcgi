#!/usr/bin/env -S NODE_ENV=production node --max-semi-space-size=1
// Starts the app for Apache mod_fcgid, or as a CGI program. Written by `fcgi-bridge init htaccess`.

// mod_fcgid may end a process that still loads the app, while its first request waits. `serve` handles the signal once it listens.
function onSigterm() {
  global.fcgiBridgeStop = true
}
process.on('SIGTERM', onSigterm)

// The settings. Change them as you like.

// The program fcgi-bridge, and the arguments of `fcgi-bridge serve`.
const PROGRAM = '/home/you/app/node_modules/.bin/fcgi-bridge'
const ARGUMENTS = ['/home/you/app/app.js']
// Node keeps compiled code here, so that the next process starts faster (Node 22.8 and later).
const COMPILE_CACHE = '/home/you/app/tmp/compile-cache'
// To find faults of the host: write a secret of at least 8 characters here, and run `fcgi-bridge doctor URL --token SECRET`. The app is not
// served meanwhile. Afterwards empty it.
const DOCTOR_TOKEN = ''

// Without newer syntax, so that a Node that is too old can say so.
const version = process.versions.node.split('.').map(Number)
const isTooOld = version[0] < 20 || (version[0] === 20 && version[1] < 19)
// This file is in the folder `init` of the package that PROGRAM belongs to.
const program = require('fs').realpathSync(PROGRAM)
const name = isTooOld ? 'old-node.cjs' : 'start.cjs'
let folder = require('path').dirname(program)
while (folder !== '/' && !require('fs').existsSync(`${folder}/init/${name}`)) folder = require('path').dirname(folder)
require(`${folder}/init/${name}`)({
  program: program,
  arguments: ARGUMENTS,
  compileCache: COMPILE_CACHE,
  doctorToken: DOCTOR_TOKEN,
  onSigterm: onSigterm,
})
