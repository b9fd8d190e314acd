// Loaded into each worker before the program (`node --import`). It connects the program to the pool. The program
// itself only calls `serve(app)`.

import { isMainThread } from 'node:worker_threads'
import { CONFIG_VARIABLE, type WorkerConfig } from './messages.ts'

const config = process.env[CONFIG_VARIABLE]
// The program's own worker threads and child processes may load this file, too.
if (isMainThread && config !== undefined) {
  delete process.env[CONFIG_VARIABLE]
  const { startWorker } = await import('./worker.ts')
  startWorker(JSON.parse(config) as WorkerConfig)
}
