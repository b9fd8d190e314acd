import { fileURLToPath } from 'node:url'
import { compile } from '../../scripts/lib/compile.js'
import { type Peer, startPeer } from '../support/peers/peer.ts'
import { startPhpFpm } from '../support/peers/php.ts'

/** A server that the conformance checks run against. */
interface Candidate {
  /** Its name in the table. */
  readonly name: string
  start(): Promise<Peer>
  /** Command-line arguments in addition to the address. */
  readonly args?: readonly string[]
  /** The server belongs to this project, so a failed check fails the test. */
  readonly own?: true
}

/** The server has the routes of examples/conformance. */
export const CANDIDATES: readonly Candidate[] = [
  { name: 'core', start: () => startOwn('core.js'), own: true },
  { name: 'Express', start: () => startOwn('express.js'), own: true },
  { name: 'fetch', start: () => startOwn('fetch.js'), own: true },
  { name: 'node-fastcgi', start: () => startAgain(process.execPath, example('node-fastcgi.js')) },
  { name: 'Go', start: startGo },
  {
    name: 'PHP-FPM',
    start: () => startPhpFpm(),
    args: ['--base', '/conformance.php', '--params', `SCRIPT_FILENAME=${example('conformance.php')}`],
  },
  { name: 'libfcgi', start: () => startAgain(compile(example('conformance.c'), ['-lfcgi'])) },
]

function startOwn(name: string): Promise<Peer> {
  return startPeer({}, (_, listen) => ({
    file: process.execPath,
    args: [example(name)],
    env: { FCGI_BRIDGE_LISTEN: listen },
  }))
}

// Some checks make a server exit, which then leaves its socket file.
const AGAIN = `
trap 'kill $app; exit' TERM
socket=$1
shift
while :; do
  rm -f "$socket"
  "$@" "$socket" & app=$!
  wait $app
done`

function startAgain(...command: string[]): Promise<Peer> {
  return startPeer({}, (_, listen) => ({ file: '/bin/sh', args: ['-c', AGAIN, 'again', listen, ...command] }))
}

function startGo(): Promise<Peer> {
  const file = compile(example('conformance.go'))
  return startPeer({}, (_, listen) => ({ file, args: [listen] }))
}

function example(name: string): string {
  return fileURLToPath(new URL(`../../examples/conformance/${name}`, import.meta.url))
}
