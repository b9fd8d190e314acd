import { testFaults } from './faults.ts'
import { apacheProxy, apacheProxyBySetHandler, mountedApacheProxy } from './setups/apache-proxy.ts'

testFaults(apacheProxy, [
  {
    name: 'Authorization is not passed on',
    codes: ['authorization'],
    without: /CGIPassAuth/,
    place: 'location',
  },
  {
    name: 'paths with %2F are rejected',
    codes: ['encoded-slash'],
    wrong: { host: ['AllowEncodedSlashes Off'] },
    place: 'host',
  },
  { name: 'buffering', codes: ['buffering'], without: /flushpackets/, place: 'options' },
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
  {
    name: 'error pages of Apache',
    codes: ['error-pages'],
    wrong: { host: ['ProxyErrorOverride On'] },
    place: 'host',
  },
  {
    name: 'methods that are not forwarded',
    codes: ['methods'],
    wrong: { location: ['<LimitExcept GET POST>', 'Require all denied', '</LimitExcept>'] },
  },
])

testFaults(mountedApacheProxy, [
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
])

testFaults(apacheProxyBySetHandler, [
  {
    name: 'SCRIPT_NAME ends at the first slash',
    codes: ['mount'],
    without: /ProxyFCGISetEnvIf/,
    place: 'host',
  },
])
