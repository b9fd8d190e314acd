// Runs `fcgi-bridge conformance` against this project's servers and others. The results must match the table in
// packages/conformance/RESULTS.md, which `npm run conformance` writes.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import { Site } from '../support/fronts/site.ts'
import { CANDIDATES } from './servers.ts'
import { type Row, resultsDocument, verdictsIn } from './table.ts'

// Timeout in seconds. This project's servers never reach it. Others mostly time out; libfcgi takes two seconds to close a connection.
const TIMEOUT = { own: 15, others: 4 }
const LIMIT = 180_000

const RESULTS = fileURLToPath(new URL('../../packages/conformance/RESULTS.md', import.meta.url))
const written = readFileSync(RESULTS, 'utf8')
const expected = verdictsIn(written)

const site = new Site()
const columns = new Map<string, readonly Row[]>()

afterAll(() => site.stop())

// Concurrent, because the runs mostly wait.
test.concurrent.for(CANDIDATES)(
  'all checks run against $name',
  { timeout: LIMIT },
  async ({ name, start, args = [], own }, { onTestFailed }) => {
    const peer = await start()
    try {
      onTestFailed(() => console.error(peer.site.report().slice(-4000)))
      const address = 'path' in peer.address ? peer.address.path : `${peer.address.host}:${peer.address.port}`
      const check = (seconds: number, ...more: string[]) =>
        conformance(address, '--timeout', String(seconds), ...args, ...more)
      const { code, results } = await check(own ? TIMEOUT.own : TIMEOUT.others)
      expect(code).toBe(own ? 0 : 6)
      if (own) expect(results.filter(({ verdict }) => verdict === 'fail')).toEqual([])
      // A busy machine must not change another server's verdict. Go's server also varies: it sends one or two END_REQUESTs at an abort.
      const other = results
        .filter(({ id, verdict }) => verdict !== expected.get(name)?.get(id))
        .map(({ id }) => id)
      const again = own || other.length === 0 ? [] : (await check(TIMEOUT.own, '--only', ...other)).results
      columns.set(
        name,
        results.map((row) => again.find(({ id }) => id === row.id) ?? row),
      )
    } finally {
      await peer.stop()
    }
  },
)

test('the table in RESULTS.md has these results', async () => {
  const inOrder = new Map(CANDIDATES.map(({ name }) => [name, columns.get(name)!]))
  expect([...inOrder.values()], 'the results of all servers').not.toContain(undefined)
  const document = resultsDocument(inOrder)
  const others = document.split('\n').filter((line) => !written.includes(line))
  await expect(document, others.join('\n')).toMatchFileSnapshot(RESULTS)
})

async function conformance(...args: string[]): Promise<{ code: number | null; results: readonly Row[] }> {
  const program = site.start(process.execPath, [COMMAND_LINE, 'conformance', '--json', ...args])
  const [line] = await program.printed(/^\{.*\}$/m)
  const { code } = await program.exited
  return { code, ...JSON.parse(line) }
}
