import type { Examination } from '../examination.ts'
import { type Finding, mend, mendFor, notInHtaccess } from '../finding.ts'

/** Whether every path reaches the app: those with an encoded slash, and those with encoded signs of URLs. */
export async function checkPaths({ ask, server, prefix }: Examination): Promise<Finding[]> {
  const findings: Finding[] = []
  const slash = await ask({ path: '/doctor/a%2Fb' })
  if (slash.echo === undefined) {
    const slashes = notInHtaccess(
      mend('in the virtual host', 'AllowEncodedSlashes NoDecode'),
      'ask the host, or put names with a slash into the query.',
    )
    findings.push({
      code: 'encoded-slash',
      level: 'warning',
      seen: `The front server answers a path with %2F itself, with ${slash.answer.status}.`,
      why: 'Names with a slash in them, encoded as they should be, never reach the app.',
      mend: mendFor(server, {
        'apache-proxy': slashes,
        'apache-fcgid': slashes,
        other: mend('Let the front server hand on paths with %2F.'),
      }),
    })
  }
  const signs = await ask({ path: '/doctor/100%25' })
  if (signs.echo === undefined) {
    const apache = mend(
      'in place of the rule that has the path in it: the app finds it in REQUEST_URI',
      'RewriteRule ^ app.fcgi [L]',
    )
    findings.push({
      code: 'decoded-twice',
      level: 'warning',
      seen: `The front server answers ${prefix}/doctor/100%25 itself, with ${signs.answer.status}: it decodes the path twice.`,
      why: 'Paths with a percent sign or a question mark in a name never reach the app.',
      mend: mendFor(server, {
        'apache-fcgid': apache,
        'apache-proxy': apache,
        other: mend('Let no rewrite put the decoded path into a URL again.'),
      }),
    })
  }
  return findings
}
