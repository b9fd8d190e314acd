// The programs that the tests of frameworks run, unmodified. docs/frameworks.md is generated from this table.

import { BUILT } from './programs/built.js'
import { FULL_STACK } from './programs/full-stack.js'
import { SERVERS } from './programs/servers.js'

/** @type {readonly import('./programs/program.js').FrameworkProgram[]} */
export const PROGRAMS = [...FULL_STACK, ...BUILT, ...SERVERS]
