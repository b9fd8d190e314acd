// Preloaded by `node --import fcgi-bridge/register server.js`, or by `--require`. If the program was started for FastCGI, its HTTP server
// serves FastCGI. Otherwise only the check below runs, and nothing else is loaded.

import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import type { Launcher } from '@fcgi-bridge/core'
import { type StartedWith, startedWith } from '@fcgi-bridge/core/started'

// The id of the process that serves FastCGI. Programs that it starts inherit its environment, and perhaps its standard input. They must
// not serve FastCGI.
const SERVED_BY = 'FCGI_BRIDGE_SERVED_BY'

const started = startedWith()
if (started !== undefined && (process.env[SERVED_BY] ?? String(process.pid)) === String(process.pid))
  register(started)

function register(started: StartedWith): void {
  // Front servers do not pass on NODE_ENV. Without it, frameworks send error stacks to clients.
  if (started === 'stdin' || started === 'cgi') process.env.NODE_ENV ||= 'production'
  // Use require, not import(): --require cannot load a module with a top-level await.
  const require = createRequire(import.meta.url)
  const { setLauncher }: typeof import('@fcgi-bridge/core') = require('@fcgi-bridge/core')
  const {
    serveProgramServer,
  }: typeof import('@fcgi-bridge/express-adapter/program') = require('@fcgi-bridge/express-adapter/program')
  const launcher: Launcher = {
    serve(handlers, options, start) {
      process.env[SERVED_BY] = String(process.pid)
      return start(handlers, options)
    },
  }
  if (isMainThread) setLauncher(launcher)
  serveProgramServer({
    launcher,
    listensOnce: started !== 'address',
    isEnabled: isMainThread,
    onServe: () => announce(started),
    onHttpListen: (address) => process.stderr.write(`fcgi-bridge: ${otherServer(address)}\n`),
  })
}

let isAnnounced = false

// Without this line, the program only prints the HTTP address that it asked for. In the log of a front server it would be noise.
function announce(started: StartedWith): void {
  if (started !== 'address' || isAnnounced) return
  isAnnounced = true
  process.stderr.write(
    `fcgi-bridge: this program serves FastCGI on ${process.env.FCGI_BRIDGE_LISTEN}, and not HTTP, because FCGI_BRIDGE_LISTEN is set.\n`,
  )
}

function otherServer(address: string): string {
  return isMainThread
    ? `this program also listens on ${address} for HTTP. If that is the server for FastCGI, set the variable PORT to its port.`
    : `a worker thread listens on ${address} for HTTP. Only a server of the main thread can serve FastCGI.`
}
