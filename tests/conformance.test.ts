// `fcgi-bridge conformance` with this project's servers and others, and the table in packages/conformance/RESULTS.md:
// `npm run conformance` writes it.
import { afterAll, describe, expect, onTestFailed, test } from 'vitest'
import { CANDIDATES } from './conformance/servers.ts'
import { type Row, resultsDocument } from './conformance/table.ts'
import { COMMAND_LINE } from './fronts/command-line.ts'
import { Site } from './fronts/site.ts'

// Seconds. Ours never has to be waited for, and others mostly in vain; libfcgi takes two to close a connection.
const PATIENCE = { own: '15', others: '4' }
const LIMIT = 180_000

const site = new Site()
const columns = new Map<string, readonly Row[]>()

afterAll(() => site.stop())

describe.each(CANDIDATES)('$name', ({ name, start, args = [], own }) => {
  test('is asked everything', { timeout: LIMIT }, async () => {
    const peer = await start()
    try {
      onTestFailed(() => console.error(peer.site.report().slice(-4000)))
      const address = 'path' in peer.address ? peer.address.path : `${peer.address.host}:${peer.address.port}`
      const { code, json } = await conformance(
        address,
        '--timeout',
        own ? PATIENCE.own : PATIENCE.others,
        ...args,
      )
      const results: (Row & { saw?: string })[] = json.results
      columns.set(name, results)
      if (own) expect(results.filter(({ verdict }) => verdict === 'fail')).toEqual([])
      expect(code).toBe(own ? 0 : 6)
    } finally {
      await peer.stop()
    }
  })
})

test('the table in the documents says what was seen', async () => {
  await expect(resultsDocument(columns)).toMatchFileSnapshot('../packages/conformance/RESULTS.md')
})

async function conformance(...args: string[]): Promise<{ code: number | null; json: { results: Row[] } }> {
  const program = site.start(process.execPath, [COMMAND_LINE, 'conformance', '--json', ...args])
  const [line] = await program.printed(/^\{.*\}$/m)
  const { code } = await program.exited
  return { code, json: JSON.parse(line) }
}
