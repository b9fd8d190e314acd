/**
 * The URL of the module that each worker loads before its program. This file must be in the folder of preload.ts: in the published package, all
 * bundles are in one folder.
 */
export const PRELOAD_URL: string = new URL('./preload.js', import.meta.url).href
