// `node --import fcgi-bridge/register server.js`, or `--require`: a program that listens for HTTP serves FastCGI, if it was started for that.
// Otherwise nothing but the check below runs, and nothing is loaded.

import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import type { Launcher } from '@fcgi-bridge/core'
import { type StartedWith, startedWith } from '@fcgi-bridge/core/started'

// The process whose server serves FastCGI. Programs that it starts inherit its environment, and perhaps its standard input.
const SERVED_BY = 'FCGI_BRIDGE_SERVED_BY'

const started = startedWith()
if (started !== undefined && (process.env[SERVED_BY] ?? String(process.pid)) === String(process.pid))
  register(started)

function register(started: StartedWith): void {
  // Front servers pass on no NODE_ENV, and frameworks show errors with their stacks to clients without it.
  if (started === 'stdin' || started === 'cgi') process.env.NODE_ENV ||= 'production'
  // Not import(): --require needs a module without a top-level await.
  const require = createRequire(import.meta.url)
  const { setLauncher }: typeof import('@fcgi-bridge/core') = require('@fcgi-bridge/core')
  const {
    serveOwnServer,
  }: typeof import('@fcgi-bridge/express-adapter/program') = require('@fcgi-bridge/express-adapter/program')
  const launcher: Launcher = {
    serve(handlers, options, start) {
      process.env[SERVED_BY] = String(process.pid)
      return start(handlers, options)
    },
  }
  if (isMainThread) setLauncher(launcher)
  serveOwnServer({
    launcher,
    isOnce: started !== 'address',
    canTake: isMainThread,
    onOther: (address) => process.stderr.write(`fcgi-bridge: ${otherServer(address)}\n`),
  })
}

function otherServer(address: string): string {
  return isMainThread
    ? `this program also listens on ${address} for HTTP. If that is the server for FastCGI, set the variable PORT to its port.`
    : `a worker thread listens on ${address} for HTTP. Only a server of the main thread can serve FastCGI.`
}
