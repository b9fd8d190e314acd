import type { Check } from '../check.ts'
import { NotApplicable } from '../verdict.ts'
import type { Answer } from '../wire/answer.ts'
import { ROLES, STATUSES, TYPES, wholeStream } from '../wire/bytes.ts'

const FILE = 'The file that is to be filtered.'
const { AUTHORIZER, FILTER } = ROLES
const FILTER_PARAMS = { FCGI_DATA_LAST_MOD: '0', FCGI_DATA_LENGTH: String(FILE.length) }

/** Sections 6.3 and 6.4: the roles that few servers have. One that does not says so with UNKNOWN_ROLE. */
export const ROLE_CHECKS: readonly Check[] = [
  {
    id: 'authorizer/allows',
    section: '6.3',
    level: 'must',
    requirement: 'An authorizer lets in with 200, and its Variable-* headers; it waits for no STDIN.',
    async run(server) {
      const connection = await server.connect()
      connection.write(server.head(1, '/authorize', { role: AUTHORIZER }))
      const answer = requireRole(await connection.answer(1), 'authorizer')
      const variable = answer.headers.find(([name]) => name === 'variable-conformance')?.[1]
      if (answer.status !== 200 || variable !== 'yes') {
        throw connection.unmet('200 and `Variable-CONFORMANCE: yes`', JSON.stringify(answer.stdout))
      }
    },
  },
  {
    id: 'authorizer/denies',
    section: '6.3',
    level: 'must',
    requirement: "An authorizer's other answers are whole answers.",
    async run(server) {
      const connection = await server.connect()
      connection.write(server.request(1, '/status/403', { role: AUTHORIZER }))
      const { status, stdout } = requireRole(await connection.answer(1), 'authorizer')
      if (status !== 403) throw connection.unmet('403', JSON.stringify(stdout))
    },
  },
  {
    id: 'filter/data',
    section: '6.4',
    level: 'must',
    requirement: 'A filter gets STDIN, and then the file as DATA.',
    async run(server) {
      const connection = await server.connect()
      const options = { role: FILTER, body: 'stdin', params: FILTER_PARAMS }
      connection.write(server.request(1, '/data', options), wholeStream(TYPES.DATA, 1, FILE))
      requireRole(await connection.answer(1), 'filter')
      await connection.served(1, FILE)
    },
  },
  {
    id: 'filter/unread',
    section: '6.4',
    level: 'must',
    requirement: 'A filter may answer without reading DATA, as when it has the result in a cache.',
    async run(server) {
      const connection = await server.connect()
      const request = server.request(1, '/bytes/10', { role: FILTER, params: FILTER_PARAMS })
      // In one write: a server that has answered and closed before another fails `closing/unread-body`, not this.
      connection.write(request, wholeStream(TYPES.DATA, 1, FILE))
      requireRole(await connection.answer(1), 'filter')
      await connection.served(1, '0123456789')
    },
  },
]

function requireRole(answer: Answer, role: string): Answer {
  if (answer.protocolStatus !== STATUSES.UNKNOWN_ROLE) return answer
  throw new NotApplicable(`it is no ${role} (UNKNOWN_ROLE)`)
}
