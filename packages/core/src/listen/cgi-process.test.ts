// Tests programs that a web server starts as plain CGI (RFC 3875), with one request in the environment and standard input.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const APP = fileURLToPath(new URL('../testing/cgi-app.js', import.meta.url))

interface Result {
  code: number | null
  stdout: string
  stderr: string
}

function start(uri: string, env: Record<string, string> = {}): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [APP], {
    env: {
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: 'POST',
      REQUEST_URI: uri,
      SERVER_NAME: 'front.test',
      SERVER_PORT: '80',
      SERVER_PROTOCOL: 'HTTP/1.1',
      ...env,
    },
  })
  child.stdin.on('error', () => {})
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function resultOf(child: ChildProcessWithoutNullStreams): Promise<Result> {
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await once(child, 'close')) as [number | null]
  const [stdout, stderr] = await output
  return { code, stdout, stderr }
}

test('the exit status is appStatus', async () => {
  expect(await resultOf(start('/status'))).toEqual({
    code: 42,
    stdout: 'Status: 200 OK\r\n\r\nresponse',
    stderr: '',
  })
})

test('output of console.log goes to standard error, because standard output is the response', async () => {
  expect(await resultOf(start('/printing'))).toEqual({
    code: 0,
    stdout: 'Status: 200 OK\r\n\r\nresponse',
    stderr: 'printed with console.log\nwritten to process.stdout\n',
  })
})

test('the environment variables are read as bytes, even if they are not valid UTF-8', async () => {
  const script = `BYTES=$(printf '\\303\\274\\377\\200') exec "${process.execPath}" "${APP}"`
  const child = spawn('/bin/sh', ['-c', script], {
    env: { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', REQUEST_URI: '/param' },
  })
  expect((await resultOf(child)).stdout).toMatch(/c3bcff80$/)
})

test('a Proxy header is removed from the environment of the program and of its child processes', async () => {
  const env = { REQUEST_METHOD: 'GET', HTTP_PROXY: 'http://evil.test', PATH: process.env.PATH! }
  const { stdout } = await resultOf(start('/environment', env))
  expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toEqual({ own: null, child: '' })
})

test('the program reads no more than CONTENT_LENGTH bytes of an input that does not end', async () => {
  const child = start('/length', { CONTENT_LENGTH: '1000000' })
  child.stdin.write(Buffer.alloc(1_500_000))
  expect(await resultOf(child)).toMatchObject({ code: 0, stdout: 'Status: 200 OK\r\n\r\n1000000' })
})

test('without CONTENT_LENGTH there is no body, and the input is not read', async () => {
  expect((await resultOf(start('/length'))).stdout).toMatch(/\r\n\r\n0$/)
})

test('the program reads a chunked request body from standard input to its end', async () => {
  const child = start('/length', { HTTP_TRANSFER_ENCODING: 'chunked' })
  child.stdin.end(Buffer.alloc(300_000))
  expect((await resultOf(child)).stdout).toMatch(/\r\n\r\n300000$/)
})

test('a request body shorter than CONTENT_LENGTH causes a read error and a 400 response', async () => {
  const child = start('/length', { CONTENT_LENGTH: '10' })
  child.stdin.end('half')
  const { stdout, stderr } = await resultOf(child)
  expect(stdout).toMatch(/^Status: 400 /)
  expect(stderr).toContain('FCGI_ERR_BODY_LENGTH')
})

// Apache writes the whole request body before it reads the response.
test('after an early response, the program reads the rest of the request body before it exits', async () => {
  const child = start('/early', { CONTENT_LENGTH: '1000000' })
  const output = resultOf(child)
  await once(child.stdout, 'data')
  child.stdin.write(Buffer.alloc(1_000_000))
  expect(await output).toMatchObject({ code: 0, stdout: 'Status: 200 OK\r\n\r\nearly' })
})

test('a slow reader receives a large response completely', async () => {
  const child = start('/large')
  await once(child.stdout, 'readable')
  expect((await resultOf(child)).stdout).toHaveLength(8_000_000 + 'Status: 200 OK\r\n\r\n'.length)
})

test('an error before the head is sent causes a 500, and is logged', async () => {
  const { stdout, stderr } = await resultOf(start('/error'))
  expect(stdout).toMatch(/^Status: 500 Internal Server Error\r\n/)
  expect(stderr).toContain('Error: before the head')
})

test('an error after the head was sent causes a non-zero exit status', async () => {
  const { code, stdout, stderr } = await resultOf(start('/cut'))
  expect(code).not.toBe(0)
  expect(stdout).toBe('Status: 200 OK\r\n\r\nhalf')
  expect(stderr).toContain('Error: after the head')
})

test('a request with an invalid Host header gets a 400 response', async () => {
  expect((await resultOf(start('/early', { HTTP_HOST: 'no/host' }))).stdout).toMatch(/^Status: 400 /)
})

// mod_cgid closes the output and sends SIGTERM when its client disconnects.
test('the request is aborted when the web server closes standard output and sends SIGTERM', async () => {
  const child = start('/wait')
  const stderr = text(child.stderr)
  await once(child.stdout, 'data')
  child.stdout.destroy()
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(await stderr).toContain('aborted: FCGI_ERR_ABORTED')
})
