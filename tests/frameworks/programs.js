// The programs that the tests of frameworks run, unmodified. docs/frameworks.md is generated from this table.

import { BUILT } from './programs/built.js'
import { SERVERS } from './programs/servers.js'

/** @type {readonly import('./programs/program.js').FrameworkProgram[]} */
export const PROGRAMS = [...BUILT, ...SERVERS]
