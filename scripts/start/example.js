import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { root, UserError } from '../lib/run.js'

/**
 * Starts examples/NAME as a FastCGI server on a Unix socket, and waits until it accepts connections. `ended` resolves with its exit
 * code or signal when it exits, and `stop()` ends it. Throws a `UserError` if it exits before it listens.
 */
export async function startExample(name, socket) {
  const program = `${root}examples/${name}/app.fcgi`
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, FCGI_BRIDGE_LISTEN: socket },
  })
  // Stop the example when this process exits for any reason.
  process.once('exit', () => child.kill())
  let running = true
  const ended = once(child, 'exit').then(([code, signal]) => {
    running = false
    return signal ?? `exit code ${code}`
  })
  while (!(await accepts(socket))) {
    if (!running) throw new UserError(`The ${name} example did not start (${await ended}): see above.`)
    await setTimeout(20)
  }
  const stop = () => {
    child.kill()
    return ended
  }
  return { name, socket, program, pid: child.pid, ended, stop }
}

async function accepts(path) {
  const probe = connect({ path })
  try {
    await once(probe, 'connect')
    return true
  } catch {
    return false
  } finally {
    probe.destroy()
  }
}
