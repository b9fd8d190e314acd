import { nginx } from './nginx.ts'
import type { Site } from './site.ts'
import type { Config } from './target.ts'

/** What a config can be made for, by its name on the command line. */
export const TARGETS: Readonly<Record<string, (site: Site) => Config>> = { nginx }
