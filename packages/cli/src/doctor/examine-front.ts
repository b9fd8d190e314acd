import type { Examination } from './examination.ts'
import type { Finding } from './finding.ts'
import { checkBodies } from './front-checks/bodies.ts'
import { checkClient } from './front-checks/client.ts'
import { checkConnections } from './front-checks/connections.ts'
import { checkEvents } from './front-checks/events.ts'
import { checkHeaders } from './front-checks/headers.ts'
import { checkMount } from './front-checks/mount.ts'
import { checkPaths } from './front-checks/paths.ts'
import { checkResponses } from './front-checks/responses.ts'
import { checkVariables } from './front-checks/variables.ts'

// The order of the report: the most important check is first.
const CHECKS: readonly (readonly [name: string, check: (examination: Examination) => Promise<Finding[]>])[] =
  [
    ['variables', checkVariables],
    ['SCRIPT_NAME and PATH_INFO', checkMount],
    ['encoded paths', checkPaths],
    ['headers', checkHeaders],
    ['HTTPS and the client', checkClient],
    ['uploads', checkBodies],
    ['error pages, response headers, methods', checkResponses],
    ['connections', checkConnections],
  ]

/** Runs every check of a front server that forwards requests to the probe. */
export async function examineFront(
  examination: Examination,
): Promise<{ findings: Finding[]; passed: string[] }> {
  const findings: Finding[] = []
  const passed: string[] = []
  const add = (name: string, found: readonly Finding[]): void => {
    findings.push(...found)
    if (found.length === 0) passed.push(name)
  }
  // checkEvents() mostly waits, so it runs at the same time as the others. Those run one after another, because mod_fcgid starts a
  // process for each concurrent request.
  const events = checkEvents(examination)
  events.catch(() => {})
  for (const [name, check] of CHECKS) add(name, await check(examination))
  add('events', await events)
  return { findings, passed }
}
