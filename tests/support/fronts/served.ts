import { APPS, type AppName, type Mode, type RunningFront } from './front.ts'
import type { Listening } from './ports.ts'
import type { Site } from './site.ts'

/** An app in a mode. A front server gives each of them its own port. */
export interface Served<M extends Mode> {
  mode: M
  app: AppName
}

/** Returns every app in every mode. */
export function served<M extends Mode>(modes: readonly M[]): Served<M>[] {
  return modes.flatMap((mode) => APPS.map((app) => ({ mode, app })))
}

/** The running front server. `ports` are those of `all`, in the same order. */
export function runningOn(all: readonly Served<Mode>[], ports: readonly number[]): RunningFront {
  return {
    origin(mode, app) {
      const index = all.findIndex((one) => one.mode.name === mode && one.app === app)
      return { host: '127.0.0.1', port: ports[index]! }
    },
  }
}

export type ListeningApps = Record<AppName, { tcp: Listening; unix: Listening }>

/**
 * Starts each app twice, on a TCP port and on a Unix socket, for a front server that does not start apps. `mount` is the option of
 * `serve`.
 */
export async function startApps(site: Site, mount?: string): Promise<ListeningApps> {
  const start = async (app: AppName) => {
    const variables = site.appEnvironment(mount)
    const [tcp, unix] = await Promise.all([
      site.startApp(app, '127.0.0.1:0', variables),
      site.startApp(app, site.path(`${app}.sock`), variables),
    ])
    return [app, { tcp: tcp.at, unix: unix.at }]
  }
  return Object.fromEntries(await Promise.all(APPS.map(start)))
}
