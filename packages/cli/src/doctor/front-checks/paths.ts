import type { Examination } from '../examination.ts'
import { type Finding, fix, fixFor, notInHtaccess } from '../finding.ts'

/** Checks whether paths with an encoded slash or an encoded percent sign reach the app. */
export async function checkPaths({ send, server, prefix }: Examination): Promise<Finding[]> {
  const findings: Finding[] = []
  const slash = await send({ path: '/doctor/a%2Fb' })
  if (slash.echo === undefined) {
    const slashes = notInHtaccess(
      fix('in the virtual host', 'AllowEncodedSlashes NoDecode'),
      'ask the hosting provider, or put names with a slash into the query.',
    )
    findings.push({
      code: 'encoded-slash',
      level: 'warning',
      problem: `The front server responds with ${slash.response.status} to a path that contains %2F, and does not forward the request.`,
      why: 'Names that contain a slash cannot be used in a path, although the slash is encoded correctly.',
      fix: fixFor(server, {
        'apache-proxy': slashes,
        'apache-fcgid': slashes,
        other: fix('Configure the front server to forward paths that contain %2F.'),
      }),
    })
  }
  const percent = await send({ path: '/doctor/100%25' })
  if (percent.echo === undefined) {
    const apache = fix(
      'in place of the rule whose target contains the path: the app reads the path from REQUEST_URI',
      'RewriteRule ^ app.fcgi [L]',
    )
    findings.push({
      code: 'decoded-twice',
      level: 'warning',
      problem: `The front server responds with ${percent.response.status} to ${prefix}/doctor/100%25, and does not forward the request: it decodes the path twice.`,
      why: 'Paths with an encoded percent sign or question mark never reach the app.',
      fix: fixFor(server, {
        'apache-fcgid': apache,
        'apache-proxy': apache,
        other: fix('Remove rewrites that insert the decoded path into a URL.'),
      }),
    })
  }
  return findings
}
