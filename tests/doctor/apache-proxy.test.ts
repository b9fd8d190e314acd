import { describeDiagnoses } from './diagnoses.ts'
import { apacheProxy, apacheProxyBySetHandler, mountedApacheProxy } from './patients/apache-proxy.ts'

describeDiagnoses(apacheProxy, [
  { name: 'Authorization is kept', codes: ['authorization'], without: /CGIPassAuth/, place: 'location' },
  {
    name: 'a path with %2F',
    codes: ['encoded-slash'],
    wrong: { host: ['AllowEncodedSlashes Off'] },
    place: 'host',
  },
  { name: 'buffering', codes: ['buffering'], without: /flushpackets/, place: 'options' },
  { name: 'no kept connections', codes: ['keep-conn'], without: /enablereuse/, place: 'options' },
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
  {
    name: 'error pages of Apache',
    codes: ['error-pages'],
    wrong: { host: ['ProxyErrorOverride On'] },
    place: 'host',
  },
  {
    name: 'methods that are not let through',
    codes: ['methods'],
    wrong: { location: ['<LimitExcept GET POST>', 'Require all denied', '</LimitExcept>'] },
  },
])

describeDiagnoses(mountedApacheProxy, [
  { name: 'SCRIPT_NAME is the whole path', codes: ['mount'], without: /ProxyFCGISetEnvIf/, place: 'host' },
])

describeDiagnoses(apacheProxyBySetHandler, [
  {
    name: 'SCRIPT_NAME ends at the first slash',
    codes: ['mount'],
    without: /ProxyFCGISetEnvIf/,
    place: 'host',
  },
])
