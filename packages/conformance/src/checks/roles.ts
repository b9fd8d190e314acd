import type { Check } from '../check.ts'
import { NotApplicable } from '../verdict.ts'
import { ROLES, STATUSES, TYPES, wholeStream } from '../wire/bytes.ts'
import type { CgiResponse } from '../wire/response.ts'

const FILE = 'The file for the filter.'
const { AUTHORIZER, FILTER } = ROLES
const FILTER_PARAMS = { FCGI_DATA_LAST_MOD: '0', FCGI_DATA_LENGTH: String(FILE.length) }

/** Sections 6.3 and 6.4: the roles authorizer and filter. A server without a role responds with UNKNOWN_ROLE. */
export const ROLE_CHECKS: readonly Check[] = [
  {
    id: 'authorizer/allows',
    section: '6.3',
    level: 'must',
    requirement:
      'An authorizer allows a request with a 200 and its Variable-* headers. It does not wait for STDIN.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.beginAndParams(1, '/authorize', { role: AUTHORIZER }))
      const response = requireRole(await connection.response(1), 'authorizer')
      const variable = response.headers.find(([name]) => name === 'variable-conformance')?.[1]
      if (response.status !== 200 || variable !== 'yes') {
        throw connection.unmet('200 and `Variable-CONFORMANCE: yes`', JSON.stringify(response.stdout))
      }
    },
  },
  {
    id: 'authorizer/denies',
    section: '6.3',
    level: 'must',
    requirement: 'An authorizer denies a request with a complete response of another status.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/403', { role: AUTHORIZER }))
      const { status, stdout } = requireRole(await connection.response(1), 'authorizer')
      if (status !== 403) throw connection.unmet('403', JSON.stringify(stdout))
    },
  },
  {
    id: 'filter/data',
    section: '6.4',
    level: 'must',
    requirement: 'A filter receives STDIN, and then the file as DATA.',
    async run(server) {
      const connection = await server.connect()
      const options = { role: FILTER, body: 'stdin', params: FILTER_PARAMS }
      connection.write(server.request(1, '/data', options), wholeStream(TYPES.DATA, 1, FILE))
      requireRole(await connection.response(1), 'filter')
      await connection.expectOk(1, FILE)
    },
  },
  {
    id: 'filter/unread',
    section: '6.4',
    level: 'must',
    requirement: 'A filter can respond without reading DATA, for example from a cache.',
    async run(server) {
      const connection = await server.connect()
      const request = server.request(1, '/bytes/10', { role: FILTER, params: FILTER_PARAMS })
      // Send it in one write. A server that responds and closes before a second write fails `closing/unread-body`, not this check.
      connection.write(request, wholeStream(TYPES.DATA, 1, FILE))
      requireRole(await connection.response(1), 'filter')
      await connection.expectOk(1, '0123456789')
    },
  },
]

function requireRole(response: CgiResponse, role: string): CgiResponse {
  if (response.protocolStatus !== STATUSES.UNKNOWN_ROLE) return response
  throw new NotApplicable(`the server does not have the role ${role} (UNKNOWN_ROLE)`)
}
