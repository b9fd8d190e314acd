#!/usr/bin/env node
// What a front server starts. Node reads a .fcgi file as CommonJS, and import() takes it to the ES modules.
import('./server.mjs')
