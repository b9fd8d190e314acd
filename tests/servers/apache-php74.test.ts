import { expect, onTestFailed, test } from 'vitest'
import { run } from '../../packages/cli/src/run.ts'
import { php74Command } from '../../scripts/lib/php74.js'
import { describeFront } from '../support/cases/describe-front.ts'
import { send } from '../support/cases/http.ts'
import { startApache } from '../support/fronts/apache.ts'
import { apachePhp74, phpFpm, sharedSite } from '../support/fronts/apache-php.ts'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'

describeFront(apachePhp74)

let site: Site
siteForEachTest((each) => {
  site = each
})

test('index.php starts the app', async () => {
  onTestFailed(() => console.error(site.report()))
  process.argv[1] = COMMAND_LINE
  site.makeFolder('app/tmp')
  site.write('app/package.json', '{ "type": "module" }')
  const app = site.write('app/app.js', 'export default { fetch: () => new Response(String(process.pid)) }')
  const output = { write: () => true }
  expect(await run(['init', 'php', app, '--output', site.path('public')], output, output)).toBe(0)
  const { ports } = await startApache(site, {
    ...phpFpm(site, php74Command()),
    hosts: [sharedSite(site.path('public'))],
  })
  const { status, text } = await send({ host: '127.0.0.1', port: ports[0]! }, '/')
  expect({ status, text }).toEqual({ status: 200, text: expect.stringMatching(/^\d+$/) })
  process.kill(Number(text))
})
