import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { AppKind } from '../app/recognize.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** How to run a bundle. */
interface CompileInput {
  /** The app as the user named it. */
  name: string
  /** The path of the bundle. */
  program: string
  /** The path of Node. Only this version of Node with these flags can use the code cache. */
  node: string
  nodeFlags: readonly string[]
  /** The path of the request to send. False: only load the app. */
  request: string | false
}

/** What V8 has compiled. */
export interface Compiled {
  code: Buffer
  kind: AppKind | 'program'
  /** A description for messages: `an Express app`. */
  what: string
}

// Milliseconds.
const TIMEOUT = 60_000

/**
 * Runs a bundle as a CGI program for one request, and returns the code that V8 has compiled by then: the code that starts the app, and the
 * code that handles the request. Throws a Failure with the error output if the bundle does not start.
 */
export async function compile({ name, program, node, nodeFlags, request }: CompileInput): Promise<Compiled> {
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-bundle-'))
  try {
    const file = join(folder, 'code')
    const child = spawn(node, [...nodeFlags, program], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: environment(file, request),
      timeout: TIMEOUT,
      killSignal: 'SIGKILL',
    })
    let served: Pick<Compiled, 'kind' | 'what'> | undefined
    child.on('message', (message) => {
      served = message as Pick<Compiled, 'kind' | 'what'>
    })
    const ended = new Promise<[code: number | null, signal: string | null]>((resolve, reject) => {
      child.once('error', reject).once('close', (code, signal) => resolve([code, signal]))
    })
    const [printed, [code, signal]] = await Promise.all([text(child.stderr!), ended])
    if (served === undefined || code !== EXIT.ok) throw failure(name, printed, code, signal)
    return { ...served, code: readFileSync(file) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

// The environment of a CGI program whose app is mounted at the root of the site.
function environment(file: string, request: string | false): NodeJS.ProcessEnv {
  const [path, query = ''] = (request || '/').split('?')
  return {
    ...process.env,
    // As if no service manager had started this process.
    LISTEN_PID: undefined,
    LISTEN_FDS: undefined,
    LISTEN_FDNAMES: undefined,
    FCGI_BRIDGE_LISTEN: undefined,
    NODE_ENV: 'production',
    FCGI_BRIDGE_BUNDLING: file,
    ...(request === false && { FCGI_BRIDGE_BUNDLING_REQUEST: 'none' }),
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'fcgi-bridge',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    REMOTE_ADDR: '127.0.0.1',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: request || '/',
    SCRIPT_NAME: '',
    PATH_INFO: path,
    QUERY_STRING: query,
    HTTP_HOST: 'localhost',
  }
}

function failure(name: string, printed: string, code: number | null, signal: string | null): Failure {
  const how =
    signal === 'SIGKILL'
      ? `it did not respond within ${TIMEOUT / 1000} s. To compile it without a request, use --no-request`
      : `it ended with ${signal ?? `status ${code}`}`
  const details = printed.replace(/^fcgi-bridge: /m, '').trim()
  return new Failure(
    EXIT.app,
    [
      `The bundle of ${name} does not start: ${how}.`,
      ...(details === '' ? [] : ['', details]),
      '',
      'If a package cannot be bundled, load it from node_modules: --external PACKAGE. If the app cannot run on this machine, use --no-cache.',
    ].join('\n'),
  )
}
