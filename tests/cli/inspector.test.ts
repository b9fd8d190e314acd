// The inspector of `fcgi-bridge dev` in a browser.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'
import { fetch } from 'undici'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  expect,
  onTestFailed,
  onTestFinished,
  test,
} from 'vitest'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Program } from '../support/fronts/program.ts'
import { required } from '../support/fronts/programs.ts'
import { Site } from '../support/fronts/site.ts'

const APP = `
export default async (req, res) => {
  if (req.url === '/broken') throw new TypeError('out of order')
  res.setHeader('X-Answer', '<b>bold</b>')
  if (req.url === '/held') {
    res.write('one')
    await new Promise((resolve) => process.once('SIGUSR2', resolve))
  }
  if (req.url === '/login') res.setHeader('Set-Cookie', 'session=given-out')
  if (req.url.startsWith('/many')) for (let i = 0; i < 400; i++) res.write('x'.repeat(9000))
  req.fcgi.stderr.write('careful, ' + req.url + '\\n')
  res.end('hello')
}`

let browser: Browser
let site: Site
let page: Page
let program: Program
let url: string
const consoleMessages: string[] = []

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: required('chromium'),
    // The tests may run as root, without a graphics card, and without a network.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'].concat(
      '--disable-background-networking',
      '--disable-component-update',
    ),
  })
})

afterAll(() => browser.close())

beforeEach(async () => {
  site = new Site()
  onTestFailed(() => console.error(site.report()))
  site.write('package.json', '{}')
  site.write('app.mjs', APP)
  const args = [COMMAND_LINE, 'dev', 'app.mjs', '--port', '0', '--mount', '/shop']
  program = site.start(process.execPath, args, { cwd: site.folder })
  const [, origin] = await program.printed(/(http:\/\/localhost:\d+)\/__fcgi/)
  url = origin!.replace('localhost', '127.0.0.1')
  await program.printed(/^ready/m)
  page = await browser.newPage()
  consoleMessages.length = 0
  page.on('console', (message) => consoleMessages.push(message.text()))
  page.on('pageerror', (error) => consoleMessages.push(String(error)))
  await page.goto(`${url}/__fcgi`)
  await page.getByText('app is ready').waitFor()
})

afterEach(async () => {
  await page.close()
  await site.stop()
})

test('shows a request: how the app reads it, headers, params, records, STDERR', async () => {
  await fetch(`${url}/shop/c%C3%A4rt?x=<i>`, { method: 'POST', body: 'four', headers: { 'X-Test': 'ä' } })
  const row = page.getByRole('row', { name: /^POST \/shop\/c%C3%A4rt/ })
  await row.getByText('200').waitFor()
  await row.click()
  await page.locator('#part-records').waitFor()

  expect(await tableBelow('How the app reads it')).toEqual(
    expect.arrayContaining([
      ['scheme', 'http', 'REQUEST_SCHEME', expect.any(String)],
      ['host', new URL(url).host, 'HTTP_HOST', 'The client sent a Host header.'],
      ['path and query', '/shop/c%C3%A4rt?x=%3Ci%3E', 'REQUEST_URI', expect.any(String)],
      ['mount', '/shop', 'SCRIPT_NAME\nPATH_INFO', expect.stringContaining('req.url /c%C3%A4rt')],
      ['client', '127.0.0.1', 'REMOTE_ADDR', expect.any(String)],
    ]),
  )
  expect(await tableBelow('Request headers')).toEqual(
    expect.arrayContaining([
      ['content-length', '4', 'CONTENT_LENGTH'],
      ['x-test', expect.any(String), 'HTTP_X_TEST'],
    ]),
  )
  expect(await tableBelow('Response headers')).toEqual(expect.arrayContaining([['X-Answer', '<b>bold</b>']]))
  const params = await tableBelow('Params')
  expect(params).toEqual(
    expect.arrayContaining([
      ['PATH_INFO', '/cärt'],
      ['SCRIPT_NAME', '/shop'],
      ['REQUEST_METHOD', 'POST'],
    ]),
  )
  const records = (await tableBelow('Records')).map(([direction, type, bytes]) => [direction, type, bytes])
  expect(records).toEqual(
    expect.arrayContaining([
      ['→ app', 'BEGIN_REQUEST', '8'],
      ['→ app', 'STDIN', '4'],
      ['← app', 'STDERR', expect.any(String)],
      ['← app', 'END_REQUEST', '8'],
    ]),
  )
  expect(await page.locator('#part-stderr + pre').textContent()).toContain('careful, /c%C3%A4rt')
  // No script was blocked, and no script failed.
  expect(consoleMessages).toEqual([])
})

test('credentials are hidden until they are clicked', async () => {
  const secrets = ['Basic dXNlcjpwYXNz', 'session=sent-back', 'Basic cHJveHk=', 'session=given-out']
  const [authorization, cookie, proxyAuthorization] = secrets as [string, string, string, string]
  const headers = { authorization, cookie, 'proxy-authorization': proxyAuthorization, 'x-test': 'plain' }
  await fetch(`${url}/shop/login`, { headers })
  await page.getByRole('row', { name: '/shop/login' }).click()
  await page.locator('#part-records').waitFor()
  const detail = page.locator('#detail')
  const text = (await detail.textContent())!
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
  expect(text).toContain('plain')
  expect(await tableBelow('Response headers')).toContainEqual(['Set-Cookie', 'Show 17 characters'])

  const buttons = detail.getByRole('button', { name: /^Show \d+ characters$/ })
  expect(await buttons.count()).toBe(7)
  const row = detail.getByRole('row', { name: /^HTTP_COOKIE / })
  await row.getByRole('button').click()
  expect(await row.textContent()).toBe(`HTTP_COOKIE${cookie}`)
  expect(await buttons.count()).toBe(6)
  // Selecting another request hides them again.
  await fetch(`${url}/shop/other`)
  await page.getByRole('row', { name: '/shop/other' }).click()
  await detail.getByText('GET /shop/other', { exact: true }).waitFor()
  await page.getByRole('row', { name: '/shop/login' }).click()
  await detail.getByText('GET /shop/login', { exact: true }).waitFor()
  expect(await buttons.count()).toBe(7)
})

test('pages of other sites cannot load or restart anything, or occupy event streams', async () => {
  const other = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>another site</title>')
  })
  await once(other.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void other.close())
  const otherPage = await browser.newPage()
  // For a browser, localhost and 127.0.0.1 are two sites.
  await otherPage.goto(`http://localhost:${(other.address() as AddressInfo).port}/`)
  // A string, because the code runs in the browser and the types of these tests are Node's.
  const results = await otherPage.evaluate(`(async () => {
    const inspector = '${url}/__fcgi'
    const settled = (target) => new Promise((resolve) => {
      for (const type of ['error', 'load', 'open']) target.addEventListener(type, () => resolve(type))
    })
    const all = []
    for (let i = 0; i < 40; i++) {
      const image = new Image()
      all.push(settled(image), settled(new EventSource(inspector + '/events')))
      image.src = inspector + '/events?' + i
    }
    // Requests for a script and a style sheet have no Origin. Only Sec-Fetch-Site shows where they come from.
    const script = document.createElement('script')
    const style = Object.assign(document.createElement('link'), { rel: 'stylesheet' })
    all.push(settled(script), settled(style))
    script.src = inspector + '/inspector.js'
    style.href = inspector + '/inspector.css'
    document.head.append(script, style)
    const { type } = await fetch(inspector + '/restart', { method: 'POST', mode: 'no-cors' })
    return [type, ...new Set(await Promise.all(all))]
  })()`)
  expect(results).toEqual(['opaque', 'error'])
  const again = await browser.newPage()
  await again.goto(`${url}/__fcgi`)
  await again.getByText('app is ready').waitFor()
  // The POST did not restart the app.
  expect(program.output.match(/^ready/gm)).toHaveLength(1)
  await again.close()
  await otherPage.close()
})

test('the link "Open app" opens the mount', async () => {
  expect(await page.getByRole('link', { name: 'Open app' }).getAttribute('href')).toBe('/shop/')
})

test('shows that a request is running, and then its end', async () => {
  const response = await fetch(`${url}/shop/held`)
  const row = page.getByRole('row', { name: '/shop/held' })
  await row.getByText('…').first().waitFor()
  await row.click()
  await page.getByText(/ · running · /).waitFor()
  for (const { pid, command } of site.processes()) {
    if (command.includes('child.js')) process.kill(pid, 'SIGUSR2')
  }
  await response.text()
  await page.getByText(/ · end after /).waitFor()
})

test('shows the first and the last records of a long response', async () => {
  await (await fetch(`${url}/shop/many`)).text()
  await page.getByRole('row', { name: '/shop/many' }).click()
  await page.getByText(/^\d+ more records were left out\.$/).waitFor()
  expect((await tableBelow('Records')).at(-1)?.[1]).toBe('END_REQUEST')
})

test('filter, pause, clear', async () => {
  for (const path of ['a', 'b']) await fetch(`${url}/shop/${path}`)
  const rows = page.locator('#rows tr:visible')
  await page.getByRole('row', { name: '/shop/b' }).waitFor()
  expect(await rows.count()).toBe(2)
  await page.getByRole('searchbox').fill('post shop')
  await expect.poll(() => rows.count()).toBe(0)
  await page.getByText('No request matches.').waitFor()
  await page.getByRole('searchbox').fill('get shop/a')
  await expect.poll(() => rows.count()).toBe(1)
  await page.getByRole('searchbox').fill('')

  await page.getByLabel('Pause').check()
  await fetch(`${url}/shop/c`)
  await page.getByLabel('Pause').uncheck()
  await page.getByRole('row', { name: '/shop/c' }).waitFor()
  await page.getByRole('button', { name: 'Clear' }).click()
  await page.getByText('No requests yet.').waitFor()
})

test('the error page of the app reloads when the error is fixed', async () => {
  const shop = await browser.newPage()
  await shop.goto(`${url}/shop/broken`)
  await shop.getByRole('heading', { name: 'TypeError: out of order' }).waitFor()
  site.write('app.mjs', "export default (req, res) => res.end('fixed')")
  await shop.getByText('fixed').waitFor()
  await page.getByRole('row', { name: '/shop/broken' }).last().getByText('500').waitFor()
  await shop.close()
})

test('shows the state of the app', async () => {
  site.write('app.mjs', 'const = 1')
  await page.getByText('app did not start').waitFor()
  site.write('app.mjs', APP)
  await page.getByText('app is ready').waitFor()
  await program.stop()
  await page.getByText('fcgi-bridge dev has stopped').waitFor()
})

/** Returns the cells of the table below the heading with this title. */
async function tableBelow(title: string): Promise<string[][]> {
  const rows = page.locator('h2', { hasText: title }).locator('xpath=following-sibling::table[1]/tbody/tr')
  return rows.evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')))
}
