// Loaded into each app of a soak. Writes the resources of the process at intervals, as lines of JSON.
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { INTERVAL_VARIABLE, SAMPLES_VARIABLE } from './variables.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const folder = process.env[SAMPLES_VARIABLE]
if (folder === undefined)
  throw new Error(`${SAMPLES_VARIABLE} is not set. Set it to the folder for the samples.`)
const file = join(folder, `${process.pid}.jsonl`)
write({ program: process.argv[1], listen: process.env.FCGI_BRIDGE_LISTEN })
write(takeSample())
setInterval(() => write(takeSample()), Number(process.env[INTERVAL_VARIABLE])).unref()

function write(line) {
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}

function takeSample() {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    time: Date.now(),
    rss,
    heap: heapUsed,
    handles: process.getActiveResourcesInfo().length,
    // Reading the folder opens one descriptor itself.
    descriptors: readdirSync('/proc/self/fd').length - 1,
  }
}
