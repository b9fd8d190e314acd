import { execFileSync } from 'node:child_process'
import { required } from './programs.ts'
import type { Site } from './site.ts'

/**
 * Creates a self-signed certificate for localhost. Returns the paths of its files. The key is where HAProxy looks for
 * it.
 */
export function makeCertificate(site: Site): { cert: string; key: string } {
  const [cert, key] = [site.path('cert.pem'), site.path('cert.pem.key')]
  execFileSync(
    required('openssl'),
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-out', cert, '-keyout', key],
    ],
    { stdio: 'ignore' },
  )
  return { cert, key }
}
