'use strict'
// Runs `fcgi-bridge serve` in the process that app.fcgi has started.

const module_ = require('node:module')
const { pathToFileURL } = require('node:url')

/** @param {{ program: string, arguments: string[], compileCache: string }} settings */
module.exports = (settings) => {
  module_.enableCompileCache?.(settings.compileCache)
  const program = process.argv[1]
  process.argv.splice(2, process.argv.length, 'serve', ...settings.arguments, '--program', program)
  return import(pathToFileURL(settings.program).href)
}
