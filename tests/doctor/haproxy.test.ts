import { describeDiagnoses } from './diagnoses.ts'
import { haproxy, mountedHaproxy } from './patients/haproxy.ts'

describeDiagnoses(haproxy, [
  { name: 'Authorization is kept', codes: ['authorization'], without: /pass-header/, place: 'app' },
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /path-info/, place: 'app' },
  { name: 'uploads in chunks beyond the buffer', codes: ['chunked'], without: /bufsize/, place: 'global' },
])

describeDiagnoses(mountedHaproxy, [
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /path-info/, place: 'app' },
])
