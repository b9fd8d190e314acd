import type { AppName, Mode, Origin } from '../fronts/front.ts'
import type { Site } from '../fronts/site.ts'

/** The target of a case: one app behind one front server in one of its modes. */
export interface Target {
  origin: Origin
  mode: Mode
  app: AppName
  site: Site
  /** Returns the path for clients, for a path of the app. */
  path(ofApp: string): string
}

/** A behaviour that users rely on with every front server. */
export interface Case {
  name: string
  /** Run in only one mode of each front server: the case takes long, and all modes behave alike. */
  once?: boolean
  run(target: Target): Promise<void>
}
