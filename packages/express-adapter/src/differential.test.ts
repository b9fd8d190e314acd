import { describe, expect, test } from 'vitest'
import { expressVersions, runScenario, type Scenario } from './testing/differential.ts'
import { bodyScenarios } from './testing/scenarios/bodies.ts'
import { fileScenarios } from './testing/scenarios/files.ts'
import { lifecycleScenarios } from './testing/scenarios/lifecycle.ts'
import { middlewareScenarios } from './testing/scenarios/middleware.ts'
import { requestScenarios } from './testing/scenarios/requests.ts'
import { responseScenarios } from './testing/scenarios/responses.ts'
import { streamingScenarios } from './testing/scenarios/streaming.ts'

const groups: readonly (readonly [name: string, scenarios: readonly Scenario[]])[] = [
  ['requests', requestScenarios],
  ['request bodies', bodyScenarios],
  ['responses', responseScenarios],
  ['streaming', streamingScenarios],
  ['files', fileScenarios],
  ['middleware', middlewareScenarios],
  ['aborts, errors and time-outs', lifecycleScenarios],
]

describe.each(expressVersions)('%s is the same over FastCGI as over HTTP', (_, express) => {
  describe.each(groups)('%s', (_, scenarios) => {
    test.each([...scenarios])('$name', async (scenario) => {
      const { http, fastcgi } = await runScenario(scenario, express)
      expect(fastcgi).toEqual(http)
    })
  })
})
