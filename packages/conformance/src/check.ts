import type { Server } from './server.ts'

/** One requirement, and a test for it over the wire. */
export interface Check {
  /** `AREA/NAME`. It does not change between versions. */
  readonly id: string
  /** The section of FastCGI 1.0, or of RFC 3875, that the requirement comes from. */
  readonly section: string
  /**
   * `must`: the specification requires it. `should`: the specification leaves it open, and a server that behaves otherwise harms apps,
   * clients or front servers.
   */
  readonly level: 'must' | 'should'
  /** The requirement in one or two sentences. */
  readonly requirement: string
  /** Tests the requirement. Throws `Unmet` if the server does not meet it, and `NotApplicable` if it cannot be tested. */
  run(server: Server): Promise<void>
}
