'use strict'
// Runs `fcgi-bridge serve`, or the probe of `fcgi-bridge doctor`, in the process that app.fcgi has started.

const module_ = require('node:module')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

/** @param {{ program: string, arguments: string[], compileCache: string, doctorToken?: string, onSigterm: () => void }} settings */
module.exports = (settings) => {
  module_.enableCompileCache?.(settings.compileCache)
  const program = process.argv[1]
  const command = settings.doctorToken
    ? ['doctor', '--probe', '--token', settings.doctorToken]
    : ['serve', ...settings.arguments, '--program', program]
  process.argv.splice(2, process.argv.length, ...command)
  const prepare = path.join(path.dirname(settings.program), 'prepare.js')
  // The program has its own listeners when it serves.
  return run(prepare, command, settings.program).finally(() => process.off('SIGTERM', settings.onSigterm))
}

// A process that relays loads nothing after `file`. import() would use one MiB more, and four threads on Node 20. Node before 22.12 cannot
// load ES modules in another way, except Node 20.19.
async function run(file, command, program) {
  const { prepare } = process.features.require_module ? require(file) : await import(pathToFileURL(file).href)
  if (await prepare(command)) await import(pathToFileURL(program).href)
}
