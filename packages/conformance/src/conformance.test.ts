import { expect, onTestFinished, test } from 'vitest'
import { CHECKS } from './checks/all.ts'
import { type Result, runChecks } from './run.ts'
import { FAULTS } from './testing/faults.ts'
import { type Faults, ReferenceServer } from './testing/reference-server.ts'

test('the reference server without faults passes all checks that apply', async () => {
  const results = await resultsWith(
    {},
    CHECKS.map(({ id }) => id),
    15_000,
  )
  expect(results.filter(({ verdict }) => verdict === 'fail')).toEqual([])
  const inapplicable = results.filter(({ verdict }) => verdict === 'not-applicable')
  expect(inapplicable.map(({ check }) => check.id)).toEqual(['multiplexing/refused'])
})

test('there is a fault for each check', () => {
  expect(Object.keys(FAULTS)).toEqual(CHECKS.map(({ id }) => id))
})

test.concurrent.for(Object.entries(FAULTS))(
  'the check %s fails on a server with its fault',
  async ([id, faults]) => {
    const [result] = await resultsWith(faults, [id], 2000)
    expect(result).toMatchObject({
      verdict: 'fail',
      expected: expect.stringMatching(/./),
      saw: expect.stringMatching(/./),
    })
  },
)

async function resultsWith(faults: Faults, ids: readonly string[], timeout: number): Promise<Result[]> {
  const server = await new ReferenceServer(faults).listen()
  onTestFinished(() => server.close())
  const checks = CHECKS.filter(({ id }) => ids.includes(id))
  const options = { address: { path: server.path }, base: '', params: {}, timeout }
  const results: Result[] = []
  for await (const result of runChecks(checks, options)) results.push(result)
  return results
}
