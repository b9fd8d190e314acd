// Checks the structure of the packages' sources: files are small, imports go to lower floors, and there are no import cycles.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { pathToFileURL } from 'node:url'
import { main, root } from './lib/run.js'

/** The largest number of lines of a source file. Tests and their helpers may have more. */
const LINES_MAX = 300

/**
 * The floors of each package from the lowest to the highest: folders and files of its `src`. A file may import files of its own entry
 * and of lower floors. Entries in one array are on the same floor, and must not import each other. A package without floors is
 * checked for import cycles only.
 */
const FLOORS = {
  core: [
    'protocol',
    'cgi',
    'exchange',
    ['connection', 'listen'],
    'shared',
    'server',
    'monitoring',
    ['manager.ts', 'index.ts'],
  ],
  client: [
    ['error.ts', 'address.ts', 'observer.ts', 'options.ts'],
    'request',
    'response',
    'connection',
    ['pool.ts', 'buffering-requests.ts', 'undici-channels.ts'],
    'dispatcher.ts',
    'gateway',
    'index.ts',
  ],
  'express-adapter': [
    ['internals.ts', 'app'],
    'socket',
    'messages',
    'observed.ts',
    'handler.ts',
    ['serve.ts', 'server'],
    'index.ts',
  ],
  'fetch-adapter': [
    ['header-list.ts', 'response-like.ts', 'node-app.ts', 'observed-incoming.ts'],
    'request',
    'light',
    ['response', 'observed'],
    'observable.ts',
    'handler.ts',
    'authorize.ts',
    'app.ts',
    'serve.ts',
    'index.ts',
  ],
  testing: [
    ['bytes.ts', 'record-reader.ts'],
    ['name-values.ts', 'records.ts'],
    'requests.ts',
    ['peer.ts', 'responder.ts'],
    'index.ts',
  ],
  pool: [
    ['sockets', 'worker', 'options.ts'],
    ['master/clock.ts', 'master/reconcile.ts', 'master/back-off.ts', 'master/deferred.ts'],
    'master/worker-process.ts',
    ['error.ts', 'status.ts'],
    [
      'master/recycling.ts',
      'master/starts.ts',
      'master/snapshot.ts',
      'master/totals.ts',
      'master/failures.ts',
      'master/pool-events.ts',
    ],
    'master/fleet.ts',
    'master/pool.ts',
    'master/when-closed.ts',
    'monitoring',
    'program',
    'index.ts',
  ],
  cli: [
    [
      'early-flags.ts',
      'exit-codes.ts',
      'terminal.ts',
      'pairs.ts',
      'shell-word.ts',
      'size.ts',
      'duration.ts',
      'end-program.ts',
      'output-errors.ts',
      'log-times.ts',
      'shared-start.ts',
      'app-address.ts',
    ],
    ['failure.ts', 'app-flags.ts', 'listen-flags.ts', 'pool-flags.ts', 'request-flags.ts'],
    'log-file.ts',
    ['app', 'examine', 'conformance'],
    ['config', 'dev', 'doctor', 'pool', 'gateway-for.ts', 'register.ts'],
    'init',
    'bundler',
    'commands',
    'program.ts',
    ['run.ts', 'log-failure.ts'],
    ['open-log.ts', 'run-command.ts'],
    'prepare.ts',
    'main.ts',
  ],
  conformance: ['verdict.ts', 'wire', 'server.ts', 'check.ts', ['checks', 'run.ts'], 'index.ts'],
}

/** Returns a sentence for each fault in the structure of `packages/*`. */
function findFaults() {
  return readdirSync(`${root}packages`).flatMap((name) => {
    const folder = `${root}packages/${name}/src`
    const files = sourceFiles(folder)
    const imports = new Map(files.map((file) => [file, importsOf(folder, file)]))
    return [
      ...findLargeFiles(folder, files),
      ...findImportsUp(imports, FLOORS[name] ?? []),
      ...findCycles(imports),
    ].map((fault) => `packages/${name}/src/${fault}`)
  })
}

function sourceFiles(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
}

function isForTests(file) {
  return file.endsWith('.test.ts') || /(?:^|\/)testing\//.test(file)
}

/** Returns the files of the same package that `file` imports, including imports of types, as paths below `folder`. */
function importsOf(folder, file) {
  const text = readFileSync(join(folder, file), 'utf8')
  const specifiers = [...text.matchAll(/(?:from|import\(?)\s*'(\.[^']+)'/g)].map(([, specifier]) => specifier)
  return specifiers
    .map((specifier) => normalize(join(dirname(file), specifier)))
    .filter((path) => !path.startsWith('..') && path.endsWith('.ts'))
}

function findLargeFiles(folder, files) {
  return files
    .filter((file) => !isForTests(file))
    .map((file) => ({ file, lines: readFileSync(join(folder, file), 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ file, lines }) => `${file} has ${lines} lines. Split it: a file may have ${LINES_MAX} lines.`)
}

function findImportsUp(imports, floors) {
  const places = floors.map((entry) => [entry].flat())
  const floorOf = (file) =>
    places.findIndex((entries) => entries.some((entry) => file === entry || file.startsWith(`${entry}/`)))
  const entryOf = (file) => places.flat().find((entry) => file === entry || file.startsWith(`${entry}/`))
  const faults = []
  for (const [file, targets] of imports) {
    if (floors.length === 0 || isForTests(file)) continue
    const floor = floorOf(file)
    if (floor < 0)
      faults.push(`${file} is on no floor. Add its folder to FLOORS in scripts/check-structure.js.`)
    for (const target of targets) {
      const isUp = floorOf(target) > floor
      const isSibling = floorOf(target) === floor && entryOf(target) !== entryOf(file)
      if (isUp || isSibling) faults.push(`${file} imports ${target}, which is not on a lower floor.`)
    }
  }
  return faults
}

function findCycles(imports) {
  const faults = []
  const finished = new Set()
  const path = []
  const visit = (file) => {
    if (finished.has(file) || !imports.has(file)) return
    const at = path.indexOf(file)
    if (at >= 0) {
      faults.push(`${[...path.slice(at), file].join(' imports ')}: an import cycle.`)
      return
    }
    path.push(file)
    for (const target of imports.get(file)) visit(target)
    path.pop()
    finished.add(file)
  }
  for (const file of imports.keys()) visit(file)
  return faults
}

/** Returns whether the structure of the sources has no faults, and prints the faults. */
export function checkStructure() {
  const faults = findFaults()
  for (const fault of faults) console.error(fault)
  return faults.length === 0
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(() => {
    if (!checkStructure()) process.exitCode = 1
  })
}
