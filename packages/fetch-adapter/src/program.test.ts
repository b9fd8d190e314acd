import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

interface Ended {
  code: number | string | null | undefined
  stdout: string
  stderr: string
}

// Runs `source` in a new process, with the built package.
function run(source: string, env: Record<string, string>): Promise<Ended> {
  const program = `import { serve } from '@fcgi-bridge/fetch-adapter'\n${source}`
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { cwd: PACKAGE, env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    )
    child.stdin!.end('body')
  })
}

const CGI = {
  GATEWAY_INTERFACE: 'CGI/1.1',
  SERVER_PROTOCOL: 'HTTP/1.1',
  SERVER_NAME: 'front.test',
  SERVER_PORT: '80',
  REQUEST_METHOD: 'POST',
  CONTENT_LENGTH: '4',
  SCRIPT_NAME: '/app.cgi',
  PATH_INFO: '/path',
  QUERY_STRING: 'q=1',
}

test('as a CGI program it responds to one request, and waits for waitUntil', async () => {
  const { code, stdout, stderr } = await run(
    `serve({
      async fetch(request, context) {
        context.waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => console.error('waited')))
        return new Response(request.url + ' ' + (await request.text()))
      },
    })`,
    CGI,
  )
  expect(stdout).toMatch(/^Status: 200 OK\r\n/)
  expect(stdout).toMatch(/\r\n\r\nhttp:\/\/front\.test\/app\.cgi\/path\?q=1 body$/)
  expect(stderr).toBe('waited\n')
  expect(code).toBe(0)
})

test('without an address to listen on, serve ends the program with one message', async () => {
  const { code, stdout, stderr } = await run(`serve(() => new Response())`, {})
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toContain('FCGI_BRIDGE_LISTEN')
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('an error that the program catches does not end it', async () => {
  const { code, stdout } = await run(
    `try { await serve(() => new Response()) } catch (error) { console.log('caught', error instanceof Error) }`,
    {},
  )
  expect([code, stdout]).toEqual([0, 'caught true\n'])
})

// Prints whether the globals are the platform's, and ends.
const PRINT = `
  const { Request: P, Response: Q, fetch: f } = before
  console.log([Request === P, Response === Q, fetch === f].join(), Headers === before.Headers)
  process.exit()`

test.each([
  [
    'serve replaces the global Request, Response and fetch',
    'await serve(app, { path })',
    'false,false,false',
  ],
  [
    'serve with authorize alone leaves them',
    'await serve({ authorize: () => true, path })',
    'true,true,true',
  ],
  [
    'serve leaves them with overrideGlobalObjects: false',
    'await serve(app, { path, overrideGlobalObjects: false })',
    'true,true,true',
  ],
  ['toHandler leaves them', 'toHandler(app.fetch)', 'true,true,true'],
  [
    'toHandler replaces them with overrideGlobalObjects: true',
    'toHandler(app.fetch, { overrideGlobalObjects: true })',
    'false,false,false',
  ],
])('%s', async (_what, call, same) => {
  const { stdout, stderr } = await run(
    `import { toHandler } from '@fcgi-bridge/fetch-adapter'
    import { tmpdir } from 'node:os'
    import { join } from 'node:path'
    const before = { Request, Response, fetch, Headers }
    const path = join(tmpdir(), \`fcgi-bridge-globals-\${process.pid}.sock\`)
    const app = { fetch: () => new Response() }
    ${call}
    ${PRINT}`,
    {},
  )
  expect([stdout, stderr]).toEqual([`${same} true\n`, ''])
})
