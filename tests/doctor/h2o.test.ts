import { describeDiagnoses } from './diagnoses.ts'
import { h2o, mountedH2o } from './patients/h2o.ts'

describeDiagnoses(h2o, [
  { name: 'no kept connections', codes: ['keep-conn'], without: /keepalive/, place: 'path' },
  {
    name: 'a limit of bodies',
    codes: ['body-limit'],
    wrong: { server: ['limit-request-body: 1048576'] },
    place: 'server',
  },
])

describeDiagnoses(mountedH2o, [])
