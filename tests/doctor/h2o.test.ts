import { testFaults } from './faults.ts'
import { h2o, mountedH2o } from './setups/h2o.ts'

testFaults(h2o, [
  {
    name: 'a low limit of the request body',
    codes: ['body-limit'],
    wrong: { server: ['limit-request-body: 1048576'] },
    place: 'server',
  },
])

testFaults(mountedH2o, [])
