// `npm run bench:reloads`: requests at a fixed rate while a server is reloaded again and again, for this project and for others. Prints a
// Markdown table. `-- --only NAME` measures the servers whose name contains NAME. A server that is not installed is left out:
// apt-get install nginx php8.2-fpm gunicorn libapache2-mod-passenger; npm install -g pm2

import { spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, realpathSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { bundlePackages } from '../../scripts/bundle.js'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { endChild } from '../../scripts/lib/processes.js'
import { main } from '../../scripts/lib/run.js'
import { makeFolder, removeFolder } from '../lib/folders.js'
import { startLoad } from './load.js'
import { subjects, versionOf } from './subjects.js'

// Milliseconds.
const START_TIMEOUT = 30_000

await main(async () => {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '100' },
      reloads: { type: 'string', default: '10' },
      every: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
    },
  })
  const pace = {
    rate: Number(values.rate),
    reloads: Number(values.reloads),
    every: Number(values.every) * 1000,
  }
  await bundlePackages()
  const rows = []
  for (const subject of subjects().filter(({ name }) => name.includes(values.only))) {
    if (!isInstalled(subject.program)) {
      console.error(`${subject.name}: left out, ${subject.program} is not installed.`)
      continue
    }
    const outcome = await measure(subject, pace)
    console.error(
      `${subject.name}: ${outcome.failed.length} of ${outcome.requests} failed. ${problems(outcome)}`,
    )
    rows.push(row(subject, outcome))
  }
  const asked = `${pace.rate} requests per second, a third of them POST, ${pace.reloads} reloads, one each ${pace.every / 1000} s`
  console.log(`${asked}, ${availableParallelism()} cores. ${versions().join(', ')}.\n`)
  console.log('| server | reloaded by | requests | GET failed | POST failed | p50 | p99 | longest |')
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |')
  for (const line of rows) console.log(line)
})

async function measure(subject, { rate, reloads, every }) {
  const folder = makeFolder()
  // PHP-FPM's workers run as another user.
  chmodSync(folder, 0o755)
  const [backend, front] = await freePorts(2)
  const { nginx: location, start } = subject.prepare({ folder, backend, front })
  const running = await start()
  const nginx = location === undefined ? undefined : startNginx(folder, { backend, front, location })
  try {
    await responding(front)
    const load = startLoad({ port: front, rate })
    await setTimeout(1000)
    for (let count = 0; count < reloads; count++) {
      running.reload()
      await setTimeout(every)
    }
    return await load.stop()
  } finally {
    if (nginx !== undefined) await endChild(nginx)
    await running.stop()
    removeFolder(folder)
  }
}

function startNginx(folder, { backend, front, location }) {
  const config = join(folder, 'nginx.conf')
  const keepalive = location.includes('keep_conn on') ? 'keepalive 16;' : ''
  writeFileSync(
    config,
    `daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  upstream app { server 127.0.0.1:${backend}; ${keepalive} }
  server {
    listen 127.0.0.1:${front};
    location / { ${location} }
  }
}
`,
  )
  return spawn('nginx', ['-c', config, '-e', join(folder, 'nginx.log')], { stdio: 'inherit' })
}

/** Resolves when the server responds with 200. */
async function responding(port) {
  for (const end = performance.now() + START_TIMEOUT; performance.now() < end; await setTimeout(100)) {
    if ((await statusOf(port)) === 200) return
  }
  throw new Error(`There was no response with status 200 within ${START_TIMEOUT / 1000} s.`)
}

function statusOf(port) {
  return new Promise((resolve) => {
    request({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', () => resolve(undefined))
      .end()
  })
}

function row({ name, reloadedBy }, { requests, failed, p50, p99, max }) {
  const lost = (method) => failed.filter((one) => one.method === method).length
  const times = [p50, p99, max].map((time) => `${Math.round(time)} ms`)
  return `| ${[name, reloadedBy, requests, lost('GET'), lost('POST'), ...times].join(' | ')} |`
}

function problems({ failed }) {
  const counts = new Map()
  for (const { problem } of failed) counts.set(problem, (counts.get(problem) ?? 0) + 1)
  return [...counts].map(([problem, count]) => `${problem}: ${count}`).join(', ')
}

function versions() {
  const all = [
    ['nginx', 'nginx', '-v'],
    ['php-fpm8.2', 'php-fpm8.2', '--version'],
    ['gunicorn', '/usr/bin/python3', '/usr/bin/gunicorn', '--version'],
    ['passenger', 'passenger', '--version'],
  ]
  const found = all.filter(([program]) => isInstalled(program))
  const text = found.map(([program, file, ...args]) => {
    const version = /\d+\.\d+\.\d+/.exec(versionOf(file, ...args))?.[0]
    return `${program} ${version}`
  })
  // `pm2 --version` would start pm2's daemon.
  const pm2 = find('pm2')
  if (pm2 !== undefined) text.push(`pm2 ${createRequire(realpathSync(pm2))('../package.json').version}`)
  return [`Node ${process.versions.node}`, ...text]
}

function isInstalled(program) {
  return find(program) !== undefined
}

/** The path of a program, or of a file, if it exists. */
function find(program) {
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter)
  const paths = folders.map((folder) => join(folder, program))
  return paths.find((path) => {
    try {
      accessSync(path, constants.R_OK)
      return true
    } catch {
      return false
    }
  })
}
