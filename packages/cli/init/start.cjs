'use strict'
// Runs `fcgi-bridge serve`, or the probe of `fcgi-bridge doctor`, in the process that app.fcgi has started.

const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')

/** @param {{ program: string, arguments: string[], compileCache: string, doctorToken?: string, onSigterm: () => void }} settings */
module.exports = (settings) => {
  const program = process.argv[1]
  const command = settings.doctorToken
    ? ['doctor', '--probe', '--token', settings.doctorToken]
    : ['serve', ...settings.arguments, '--program', program]
  process.argv.splice(2, process.argv.length, ...command)
  // The program has its own listeners when it serves.
  return run(command, settings).finally(() => process.off('SIGTERM', settings.onSigterm))
}

// A process that relays loads nothing after prepare.cjs. It has no ES modules, which would cost each relay memory and time.
async function run(command, { program, compileCache }) {
  const file = path.join(path.dirname(program), 'prepare.cjs')
  // Unbundled, the program itself prepares.
  const isReady = !fs.existsSync(file) || (await require(file).prepare(command))
  if (!isReady) return
  require('node:module').enableCompileCache?.(compileCache)
  await import(pathToFileURL(program).href)
}
