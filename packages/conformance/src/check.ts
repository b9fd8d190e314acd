import type { Server } from './server.ts'

/** One requirement, and how it is looked at from outside. */
export interface Check {
  /** `AREA/NAME`; it stays as it is from version to version. */
  readonly id: string
  /** Where it is written: a section of FastCGI 1.0, or of RFC 3875. */
  readonly section: string
  /** `must` where the text says so; `should` where it leaves it open, and servers that do otherwise harm somebody. */
  readonly level: 'must' | 'should'
  /** What a server does, in one sentence. */
  readonly requirement: string
  /** Throws `Unmet` where it does not, `NotApplicable` where nothing can be asked. */
  run(server: Server): Promise<void>
}
