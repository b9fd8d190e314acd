import type { AppName, Mode, Origin } from '../fronts/front.ts'
import type { Site } from '../fronts/site.ts'

/** What a case runs against: one app, behind one front server, in one of its modes. */
export interface Target {
  origin: Origin
  mode: Mode
  app: AppName
  site: Site
  /** The path that a client asks for, of a path of the app's. */
  path(ofApp: string): string
}

/** Something that a user relies on, whatever front server is in use. */
export interface Case {
  name: string
  /** Enough to do it in one mode of each front server: it takes long, and no mode has a way of its own for it. */
  once?: boolean
  run(target: Target): Promise<void>
}
