import { describeDiagnoses } from './diagnoses.ts'
import { lighttpd, mountedLighttpd } from './patients/lighttpd.ts'

describeDiagnoses(lighttpd, [
  {
    name: 'SCRIPT_NAME ends at the second slash',
    codes: ['mount'],
    without: /fix-root-scriptname/,
    place: 'backend',
  },
  { name: 'the stock buffering', codes: ['buffering'], without: /stream-response-body/, place: 'server' },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { server: ['server.max-request-size = 1024'] },
    place: 'server',
  },
  {
    name: 'bodies that are streamed need a length',
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

describeDiagnoses(mountedLighttpd, [
  {
    name: 'the app has the whole site',
    codes: ['mount'],
    without: /"\/shop"/,
    wrong: { key: ['"/" => (('], backend: ['"fix-root-scriptname" => "enable"'] },
    place: 'key',
  },
])
