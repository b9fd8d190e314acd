import { fileURLToPath } from 'node:url'
import { compile } from '../../../scripts/lib/compile.js'
import { type Peer, type PeerOptions, startPeer } from './peer.ts'

/** Starts a program on Go's net/http/fcgi: any number of connections, and any number of requests on each. */
export function startGo(options: PeerOptions = {}): Promise<Peer> {
  const file = compile(source('go/main.go'))
  return startPeer(options, (_, listen) => ({ file, args: [listen] }))
}

/** Starts a program on libfcgi: one request at a time, and no second connection while one is kept. */
export function startLibfcgi(options: PeerOptions = {}): Promise<Peer> {
  const file = compile(source('libfcgi/main.c'), ['-lfcgi'])
  return startPeer(options, (_, listen) => ({ file, args: [listen] }))
}

/** Starts a program on this project's own server. */
export function startCore(options: PeerOptions = {}): Promise<Peer> {
  return startPeer(options, (_, listen) => ({
    file: process.execPath,
    args: [source('core/server.js')],
    env: { FCGI_BRIDGE_LISTEN: listen },
  }))
}

function source(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
