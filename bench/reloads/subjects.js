// The servers that are compared. Each has two workers, and an app that responds with method and body after 10 ms.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endChild } from '../../scripts/lib/processes.js'
import { root } from '../../scripts/lib/run.js'

// The packages as they are published.
const CLI = ['--conditions=published', `${root}packages/cli/dist/bundle/main.js`]

const FETCH_APP = `export default { async fetch(request) {
  await new Promise((resolve) => setTimeout(resolve, 10))
  return new Response(request.method + ' ' + (await request.text()))
} }`

const HTTP_APP = `const server = require('node:http').createServer(async (req, res) => {
  let body = ''
  for await (const chunk of req.setEncoding('utf8')) body += chunk
  setTimeout(() => res.end(req.method + ' ' + body), 10)
})
server.listen(process.env.APP_PORT ?? 'passenger', '127.0.0.1', () => process.send?.('ready'))
`

// What pm2's documentation recommends for a reload without downtime.
const GRACEFUL = `process.on('SIGINT', () => server.close(() => process.exit(0)))`

const PHP_APP = `<?php usleep(10000); echo $_SERVER['REQUEST_METHOD'], ' ', file_get_contents('php://input');`

const WSGI_APP = `import time
def app(environ, start_response):
    body = environ['wsgi.input'].read()
    time.sleep(0.01)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [environ['REQUEST_METHOD'].encode() + b' ' + body]
`

/**
 * @typedef {object} Running
 * @property {() => unknown} reload
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} Subject
 * @property {string} name
 * @property {string} reloadedBy
 * @property {string} program What has to be installed.
 * @property {(place: { folder: string, backend: number, front: number }) => { nginx?: string, start: () => Promise<Running> }} prepare
 *   `backend` and `front` are free ports. `nginx` is the location of an nginx that listens on `front`.
 */

/** @returns {Subject[]} */
export function subjects() {
  return [
    ours('fcgi-bridge, 2 workers', ''),
    ours('fcgi-bridge, 2 workers, kept connections', 'fastcgi_keep_conn on;'),
    phpFpm('PHP-FPM, defaults', '', ''),
    phpFpm('PHP-FPM, `process_control_timeout = 10s`', 'process_control_timeout = 10s', ''),
    phpFpm('PHP-FPM, the same, kept connections', 'process_control_timeout = 10s', 'fastcgi_keep_conn on;'),
    gunicorn(),
    pm2('pm2 cluster, node:http', '', []),
    pm2('pm2 cluster, node:http, `--wait-ready` and a SIGINT handler', GRACEFUL, ['--wait-ready']),
    passenger(),
  ]
}

function ours(name, keep) {
  return {
    name,
    reloadedBy: '`fcgi-bridge reload`',
    program: 'nginx',
    prepare: ({ folder, backend }) => ({
      nginx: `include /etc/nginx/fastcgi_params; fastcgi_pass app; ${keep}`,
      async start() {
        const control = write(folder, 'app.mjs', FETCH_APP).replace(/app\.mjs$/, 'app.ctl')
        const flags = ['--port', String(backend), '--workers', '2', '--control', control, '--no-log']
        const child = start(process.execPath, [...CLI, 'serve', 'app.mjs', ...flags], { cwd: folder })
        const reload = () =>
          spawn(process.execPath, [...CLI, 'reload', '--control', control], { stdio: 'ignore' })
        return { reload, stop: () => endChild(child) }
      },
    }),
  }
}

function phpFpm(name, settings, keep) {
  return {
    name,
    reloadedBy: 'SIGUSR2',
    program: 'php-fpm8.2',
    prepare: ({ folder, backend }) => ({
      nginx: `include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME ${folder}/app.php; fastcgi_pass app; ${keep}`,
      async start() {
        write(folder, 'app.php', PHP_APP)
        const config = write(
          folder,
          'fpm.conf',
          `[global]
error_log = ${folder}/fpm.log
daemonize = no
${settings}
[www]
user = www-data
group = www-data
listen = 127.0.0.1:${backend}
pm = static
pm.max_children = 16
`,
        )
        const child = start('php-fpm8.2', ['-R', '--fpm-config', config])
        return { reload: () => child.kill('SIGUSR2'), stop: () => endChild(child) }
      },
    }),
  }
}

function gunicorn() {
  return {
    name: 'gunicorn, 2 workers with 8 threads',
    reloadedBy: 'SIGHUP',
    program: 'gunicorn',
    prepare: ({ folder, backend }) => ({
      nginx: 'proxy_pass http://app;',
      async start() {
        write(folder, 'wsgi.py', WSGI_APP)
        const args = ['--bind', `127.0.0.1:${backend}`, '--workers', '2', '--threads', '8', 'wsgi:app']
        const child = start('/usr/bin/python3', ['/usr/bin/gunicorn', ...args], { cwd: folder })
        return { reload: () => child.kill('SIGHUP'), stop: () => endChild(child) }
      },
    }),
  }
}

function pm2(name, graceful, flags) {
  return {
    name,
    reloadedBy: '`pm2 reload`',
    program: 'pm2',
    prepare: ({ folder, backend }) => ({
      nginx: 'proxy_pass http://app;',
      async start() {
        const env = { ...process.env, PM2_HOME: join(folder, 'pm2'), APP_PORT: String(backend) }
        const app = write(folder, 'app.cjs', HTTP_APP + graceful)
        const run = (...args) => spawn('pm2', args, { env, cwd: folder, stdio: 'ignore' })
        await once(run('start', app, '--name', 'app', '-i', '2', ...flags), 'exit')
        let reloading
        const end = async () => {
          reloading?.kill()
          await once(run('kill'), 'exit')
        }
        const reload = () => {
          reloading = run('reload', 'app')
        }
        return { reload, stop: end }
      },
    }),
  }
}

function passenger() {
  return {
    name: 'Passenger in Apache, node:http',
    reloadedBy: '`touch tmp/restart.txt`',
    program: '/usr/lib/apache2/modules/mod_passenger.so',
    prepare: ({ folder, front }) => ({
      async start() {
        write(folder, 'app.cjs', HTTP_APP)
        for (const name of ['public', 'tmp']) mkdirSync(join(folder, name))
        const modules = ['mpm_event', 'authz_core'].map(
          (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
        )
        const config = write(
          folder,
          'apache.conf',
          `${modules.join('\n')}
LoadModule passenger_module /usr/lib/apache2/modules/mod_passenger.so
ServerName localhost
Listen 127.0.0.1:${front}
PidFile ${folder}/apache.pid
ErrorLog ${folder}/apache.log
DocumentRoot ${folder}/public
PassengerRoot /usr/lib/ruby/vendor_ruby/phusion_passenger/locations.ini
PassengerNodejs ${process.execPath}
PassengerInstanceRegistryDir ${folder}
PassengerMaxPoolSize 2
PassengerMinInstances 2
PassengerMaxRequestQueueSize 1000
PassengerAppRoot ${folder}
PassengerAppType node
PassengerStartupFile app.cjs
PassengerUser ${process.env.USER ?? 'root'}
<Directory ${folder}/public>
  Require all granted
</Directory>
`,
        )
        const file = write(folder, 'tmp/restart.txt', '')
        const child = start('/usr/sbin/apache2', ['-D', 'FOREGROUND', '-f', config])
        const reload = () => utimesSync(file, new Date(), new Date())
        return { reload, stop: () => endChild(child) }
      },
    }),
  }
}

/** @returns {string} The path. */
function write(folder, name, text) {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function start(file, args, options = {}) {
  return spawn(file, args, { stdio: 'ignore', ...options })
}

/** The first line that a program prints about its version. */
export function versionOf(file, ...args) {
  const { stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' })
  return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0]
}
