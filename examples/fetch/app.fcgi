#!/usr/bin/env node
// What a front server starts. Node reads a .fcgi file as CommonJS, and import() takes it to the ES modules.
// mod_fcgid passes on no NODE_ENV, and leaves the working directory at the folder of this file or of a link to it.
process.env.NODE_ENV ||= 'production'
process.chdir(__dirname)
import('./server.mjs')
