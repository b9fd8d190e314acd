// Servers and frameworks without a build, as their documentation starts them.
import { testProgramsOf } from './suite.ts'

testProgramsOf((project) => project === 'servers')
