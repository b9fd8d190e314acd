import { testFaults } from './faults.ts'
import { haproxy, mountedHaproxy } from './setups/haproxy.ts'

testFaults(haproxy, [
  { name: 'Authorization is not passed on', codes: ['authorization'], without: /pass-header/, place: 'app' },
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /path-info/, place: 'app' },
  {
    name: 'chunked uploads that are larger than the buffer',
    codes: ['chunked'],
    without: /bufsize/,
    place: 'global',
  },
])

testFaults(mountedHaproxy, [
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /path-info/, place: 'app' },
])
