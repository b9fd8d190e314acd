/** The URL of the module that each worker loads before its program. In this folder, because the published bundles are in one folder, too. */
export const PRELOAD_URL: string = new URL('./preload.js', import.meta.url).href
