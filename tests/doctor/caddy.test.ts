import { testFaults } from './faults.ts'
import { caddy, mountedCaddy } from './setups/caddy.ts'

testFaults(caddy, [
  { name: 'the Proxy header', codes: ['httpoxy'], without: /-Proxy/, place: 'site' },
  {
    name: 'Authorization is removed',
    codes: ['authorization'],
    wrong: { site: ['request_header -Authorization'] },
  },
  {
    name: 'a low limit of the request body',
    codes: ['body-limit'],
    wrong: { site: ['request_body {', 'max_size 1MB', '}'] },
    place: 'site',
  },
])

testFaults(mountedCaddy, [
  { name: 'the config does not have the mount', codes: ['mount'], without: /split/, place: 'transport' },
])
