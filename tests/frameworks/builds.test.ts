// Frameworks whose programs are built, and servers with projects of their own.
import { testProgramsOf } from './suite.ts'

testProgramsOf((project) => project !== 'servers')
