'use strict'
// Runs `fcgi-bridge serve`, or the probe of `fcgi-bridge doctor`, in the process that app.fcgi has started.

const module_ = require('node:module')
const { pathToFileURL } = require('node:url')

/** @param {{ program: string, arguments: string[], compileCache: string, doctorToken?: string, onSigterm: () => void }} settings */
module.exports = (settings) => {
  module_.enableCompileCache?.(settings.compileCache)
  const program = process.argv[1]
  const command = settings.doctorToken
    ? ['doctor', '--probe', '--token', settings.doctorToken]
    : ['serve', ...settings.arguments, '--program', program]
  process.argv.splice(2, process.argv.length, ...command)
  // The program has its own listeners when it serves.
  return import(pathToFileURL(settings.program).href).finally(() =>
    process.off('SIGTERM', settings.onSigterm),
  )
}
