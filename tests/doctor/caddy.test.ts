import { describeDiagnoses } from './diagnoses.ts'
import { caddy, mountedCaddy } from './patients/caddy.ts'

describeDiagnoses(caddy, [
  { name: 'the Proxy header', codes: ['httpoxy'], without: /-Proxy/, place: 'site' },
  {
    name: 'Authorization is taken out',
    codes: ['authorization'],
    wrong: { site: ['request_header -Authorization'] },
  },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { site: ['request_body {', 'max_size 1MB', '}'] },
    place: 'site',
  },
])

describeDiagnoses(mountedCaddy, [
  { name: 'the app has the whole site', codes: ['mount'], without: /split/, place: 'transport' },
])
