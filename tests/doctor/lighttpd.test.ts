import { testFaults } from './faults.ts'
import { lighttpd, mountedLighttpd } from './setups/lighttpd.ts'

testFaults(lighttpd, [
  {
    name: 'SCRIPT_NAME ends at the second slash',
    codes: ['mount'],
    without: /fix-root-scriptname/,
    place: 'backend',
  },
  {
    name: 'the default response buffering',
    codes: ['buffering'],
    without: /stream-response-body/,
    place: 'server',
  },
  {
    name: 'a low limit of the request body',
    codes: ['body-limit'],
    wrong: { server: ['server.max-request-size = 1024'] },
    place: 'server',
  },
  {
    name: 'streamed request bodies need a Content-Length',
    codes: ['chunked'],
    wrong: { server: ['server.stream-request-body = 2'] },
    place: 'server',
  },
  {
    name: 'error pages of lighttpd',
    codes: ['error-pages'],
    wrong: { server: ['server.error-intercept = "enable"'] },
    place: 'server',
  },
])

testFaults(mountedLighttpd, [
  {
    name: 'the config does not have the mount',
    codes: ['mount'],
    without: /"\/shop"/,
    wrong: { key: ['"/" => (('], backend: ['"fix-root-scriptname" => "enable"'] },
    place: 'key',
  },
])
