import { CONTROL_VARIABLE } from './control.js'

/** The environment variable that carries the server's `mount` option to an app. */
export const MOUNT_VARIABLE = 'FCGI_BRIDGE_TEST_MOUNT'

/**
 * The options of `serve` that differ from one front server to the next. Where to listen is not among them: the
 * environment says it, as it would for a user's app.
 */
export const serveOptions = {
  ...(process.env[MOUNT_VARIABLE] !== undefined && { mount: process.env[MOUNT_VARIABLE] }),
  /** @param {unknown} address */
  onListen(address) {
    console.log(`listening on ${JSON.stringify(address)}`)
  },
}

/**
 * The environment that the apps under test need, as a front server must pass it on.
 *
 * @param {string} control the folder of {@link Control}
 * @param {string} [mount]
 * @returns {Record<string, string>}
 */
export function appEnvironment(control, mount) {
  return {
    NODE_ENV: 'production',
    [CONTROL_VARIABLE]: control,
    ...(mount !== undefined && { [MOUNT_VARIABLE]: mount }),
  }
}
