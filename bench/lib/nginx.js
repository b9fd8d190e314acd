import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { childrenOf, endChild } from '../../scripts/lib/processes.js'
import { UserError } from '../../scripts/lib/run.js'
import { cpuTime } from './cpu.js'
import { makeFolder, removeFolder } from './folders.js'

// Milliseconds.
const START_TIMEOUT = 10_000
const LOG = 'error.log'

/** An nginx in front of a server, with kept connections to the server. */
export class Nginx {
  /** @type {{ host: string, port: number }} */
  address
  #child
  #folder

  constructor(child, address, folder) {
    this.#child = child
    this.address = address
    this.#folder = folder
  }

  /**
   * @param {'fastcgi' | 'http'} protocol The protocol between nginx and the server.
   * @param {{ path: string }} server
   */
  static async start(protocol, server) {
    if (nginxVersion() === undefined)
      throw new UserError('nginx is not installed. Run: apt-get install nginx')
    const folder = makeFolder()
    const [port] = await freePorts(1)
    const address = { host: '127.0.0.1', port }
    const config = join(folder, 'nginx.conf')
    const log = join(folder, LOG)
    writeFileSync(config, configuration({ address, folder, log, protocol, server }))
    // nginx is killed when this process ends for any reason.
    const args = ['--pdeathsig', 'TERM', 'nginx', '-c', config, '-e', log]
    const child = spawn('setpriv', args, { stdio: ['ignore', 'inherit', 'inherit'] })
    const nginx = new Nginx(child, address, folder)
    try {
      await nginx.#listening(log)
    } catch (error) {
      await nginx.stop()
      throw error
    }
    return nginx
  }

  /** The CPU time of the master and its worker, in microseconds. */
  cpuTime() {
    const { pid } = this.#child
    return [pid, ...childrenOf(pid)].reduce((sum, process) => sum + cpuTime(process), 0)
  }

  /** What nginx has logged so far. */
  get errorLog() {
    return readFileSync(join(this.#folder, LOG), 'utf8')
  }

  async stop() {
    await endChild(this.#child)
    removeFolder(this.#folder)
  }

  async #listening(log) {
    const deadline = Date.now() + START_TIMEOUT
    while (!(await accepts(this.address))) {
      if (this.#child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`nginx did not start: ${readFileSync(log, 'utf8')}`)
      }
      await setTimeout(20)
    }
  }
}

/** `1.22.1`. Undefined if nginx is not installed. */
export function nginxVersion() {
  const { stderr } = spawnSync('nginx', ['-v'], { encoding: 'utf8' })
  return /nginx\/(\S+)/.exec(stderr ?? '')?.[1]
}

function configuration({ address, folder, log, protocol, server }) {
  // Over HTTP an app needs headers for the information in FastCGI's params.
  const pass =
    protocol === 'fastcgi'
      ? `include /etc/nginx/fastcgi_params;
        fastcgi_pass app;
        fastcgi_keep_conn on;`
      : `proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;`
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    error_log ${log};
    events { worker_connections 4096; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      client_body_temp_path ${folder}/body;
      fastcgi_temp_path ${folder}/fastcgi;
      proxy_temp_path ${folder}/proxy;
      scgi_temp_path ${folder}/scgi;
      uwsgi_temp_path ${folder}/uwsgi;
      upstream app {
        server unix:${server.path};
        keepalive 64;
        keepalive_requests 1000000000;
      }
      server {
        listen ${address.host}:${address.port};
        location / {
        ${pass}
        }
      }
    }
  `
}

async function accepts(address) {
  const socket = connect(address)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
