#!/usr/bin/env -S NODE_ENV=production node --max-semi-space-size=1
'use strict'
// Serves an app over FastCGI if a front server or systemd starts this file, as a CGI program, or with FCGI_BRIDGE_LISTEN=127.0.0.1:9000. The
// app and its packages are in this file, with their compiled code. Written by `fcgi-bridge bundle`. Do not change the lines below.

const isMain = require.main === module

// mod_fcgid may end a process that still loads the app, while its first request waits. The signal is obeyed once the app serves.
function onSigterm() {
  global.fcgiBridgeStop = true
}
if (isMain) process.on('SIGTERM', onSigterm)

const SETTINGS = {}

const fs = require('fs')
const { createRequire } = require('module')
const path = require('path')
const vm = require('vm')

const file = fs.readFileSync(__filename)

// Returns the text of a section at the end of this file. Each section is a comment, which Node skips quickly. The text never contains the end of
// a comment.
function section(name) {
  const head = `\n/* ${name}\n`
  const at = file.lastIndexOf(head)
  if (at < 0) return undefined
  return { start: at + head.length, text: file.latin1Slice(at + head.length, file.indexOf('\n*/', at)) }
}

const source = section('The app')
const cachedData = section('The compiled code')
// The compiled code is for one version of Node. Another version rejects it, and compiles the app itself.
const script = new vm.Script(source.text.replaceAll(SETTINGS.commentEnd, '*/'), {
  filename: __filename,
  // Stack traces then have the line numbers of this file.
  lineOffset: file.subarray(0, source.start).toString('latin1').split('\n').length - 1,
  cachedData: cachedData && Buffer.from(cachedData.text, 'base64'),
  importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
})

// The path of the app's module when it was bundled. External packages are found from that folder, or else from the folder of this file.
const appFile = path.resolve(__dirname, SETTINGS.app)
const requireFromApp = createRequire(appFile)
function requireExternal(id) {
  let found
  try {
    found = requireFromApp.resolve(id)
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error
    return require(id)
  }
  return requireFromApp(found)
}
requireExternal.resolve = requireFromApp.resolve
requireExternal.cache = require.cache
requireExternal.main = require.main

/** Returns `__filename`, `__dirname` and `import.meta` for a module of the app. They have the path of its source. */
function place(relative) {
  const filename = path.resolve(__dirname, relative)
  const url = () => require('url').pathToFileURL(filename).href
  return {
    filename,
    dirname: path.dirname(filename),
    get url() {
      return url()
    },
    resolve: (id) => require('url').pathToFileURL(createRequire(filename).resolve(id)).href,
    get meta() {
      return { filename, dirname: path.dirname(filename), url: url(), resolve: this.resolve }
    },
  }
}

const program = {
  isMain,
  settings: SETTINGS,
  folder: path.resolve(__dirname, SETTINGS.folder),
  file: __filename,
  onSigterm,
}
script.runInThisContext()(requireExternal, module, exports, program, place)

// For `fcgi-bridge serve`: the exports of the app.
module.exports = { [Symbol.for('fcgi-bridge bundle')]: program.result }

// While `fcgi-bridge bundle` runs this file, it collects the compiled code.
if (process.env.FCGI_BRIDGE_BUNDLING !== undefined) {
  process.on('exit', () => fs.writeFileSync(process.env.FCGI_BRIDGE_BUNDLING, script.createCachedData()))
}
