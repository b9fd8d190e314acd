// Runs the same scripts on the platform's own Request, Response and Headers, and on those of `overrideGlobalObjects`.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { makeScript } from './script.js'

// The number of scripts that a side gets at a time.
const BATCH = 200

/** @typedef {{ index: number, script: object, native: string[], light: string[] }} Difference */

/**
 * Compares `count` scripts of a seed. Resolves with the first difference and its script, reduced as far as possible, or
 * with undefined.
 *
 * @returns {Promise<Difference | undefined>}
 */
export async function compare({ seed, count, first = 0, onProgress = (_done) => {} }) {
  const sides = [false, true].map(
    (light) => new Worker(new URL('./side.js', import.meta.url), { workerData: { light } }),
  )
  try {
    for (let done = 0; done < count; done += BATCH) {
      const scripts = Array.from({ length: Math.min(BATCH, count - done) }, (_, i) =>
        makeScript(seed, first + done + i),
      )
      const [native, light] = await run(sides, scripts)
      const at = scripts.findIndex((_, i) => String(native[i]) !== String(light[i]))
      if (at >= 0) return await shrink(sides, first + done + at, scripts[at])
      onProgress(done + scripts.length)
    }
    return undefined
  } finally {
    await Promise.all(sides.map((side) => side.terminate()))
  }
}

function run(sides, scripts) {
  return Promise.all(
    sides.map(async (side) => {
      side.postMessage(scripts)
      const [outcomes] = await once(side, 'message')
      return outcomes
    }),
  )
}

// Removes steps as long as the two sides still differ.
async function shrink(sides, index, script) {
  let smallest = script
  for (let at = script.steps.length - 1; at >= 0; at--) {
    const steps = smallest.steps.filter((_, i) => i !== at)
    const shorter = { ...smallest, steps }
    const [[native], [light]] = await run(sides, [shorter])
    if (String(native) !== String(light)) smallest = shorter
  }
  const [[native], [light]] = await run(sides, [smallest])
  return { index, script: smallest, native, light }
}
