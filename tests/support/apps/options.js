import { CONTROL_VARIABLE } from './control.js'

/** The environment variable with the `mount` option for an app. */
const MOUNT_VARIABLE = 'FCGI_BRIDGE_TEST_MOUNT'

/**
 * The options of `serve` that differ between front servers. The address is not one of them: as for a user's app, the
 * environment contains it.
 */
export const serveOptions = {
  ...(process.env[MOUNT_VARIABLE] !== undefined && { mount: process.env[MOUNT_VARIABLE] }),
  /** @param {unknown} address */
  onListen(address) {
    console.log(`listening on ${JSON.stringify(address)}`)
  },
}

/**
 * The environment of the apps under test, which a front server must pass on.
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
