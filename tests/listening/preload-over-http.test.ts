// If nothing has started the program for FastCGI, the preload changes nothing: the program serves HTTP, byte for byte as without it.
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { accepting } from '../support/fronts/ports.ts'
import type { Exit } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'
import { siteForEachTest } from '../support/fronts/site-for-each-test.ts'
import { HTTP_PROGRAMS, installPackages } from './http-programs.ts'

let site: Site

siteForEachTest((each) => {
  site = each
  installPackages(site)
})

const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('')

/** The head of the last request on a connection: it asks the server to close the connection. */
const last = (start: string, ...fields: string[]): string =>
  lines(start, 'Host: test', ...fields, 'Connection: close', '')

const CHUNKED_BODY = '3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n'

/** What a client sends on one connection. The server closes it after the last response. */
const CONVERSATIONS: Readonly<Record<string, string>> = {
  GET: last('GET /?a=%2F HTTP/1.1'),
  HEAD: last('HEAD / HTTP/1.1'),
  OPTIONS: last('OPTIONS * HTTP/1.1'),
  'a path without a page': last('GET /missing HTTP/1.1', 'Accept: text/html'),
  'pipelined requests on a kept connection':
    lines('GET / HTTP/1.1', 'Host: test', '') +
    lines('HEAD / HTTP/1.1', 'Host: test', '') +
    last('GET / HTTP/1.1'),
  'HTTP/1.0': lines('GET / HTTP/1.0', ''),
  'HTTP/1.0 that keeps the connection':
    lines('GET / HTTP/1.0', 'Connection: keep-alive', '') + lines('GET / HTTP/1.0', ''),
  'a body with a length': `${last('POST /echo HTTP/1.1', 'Content-Length: 5')}abcde`,
  'a body in chunks, with a trailer':
    last('POST /echo HTTP/1.1', 'Transfer-Encoding: chunked') + CHUNKED_BODY,
  'a body in chunks, and then another request':
    lines('POST /echo HTTP/1.1', 'Host: test', 'Transfer-Encoding: chunked', '') +
    CHUNKED_BODY +
    last('GET / HTTP/1.1'),
  'Expect: 100-continue': `${last('POST /echo HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 2')}ab`,
  'an expectation that nobody knows': last('POST /echo HTTP/1.1', 'Expect: a-miracle', 'Content-Length: 0'),
  upgrade: lines('GET / HTTP/1.1', 'Host: test', 'Connection: Upgrade, close', 'Upgrade: echo', ''),
  CONNECT: lines('CONNECT example.com:443 HTTP/1.1', 'Host: example.com', 'Connection: close', ''),
  'no Host': lines('GET / HTTP/1.1', 'Connection: close', ''),
  'a field that is not valid': lines('GET / HTTP/1.1', 'Host: test', 'no colon', ''),
  'two lengths': lines('POST / HTTP/1.1', 'Host: test', 'Content-Length: 1', 'Content-Length: 2', ''),
  'a length and chunks': lines(
    ...['POST / HTTP/1.1', 'Host: test', 'Content-Length: 1', 'Transfer-Encoding: chunked', ''],
  ),
  'not HTTP': '\x16\x03\x01\x00\x05hello\r\n\r\n',
  'headers that are too large': lines('GET / HTTP/1.1', 'Host: test', `X-Large: ${'a'.repeat(20_000)}`, ''),
}

/** Programs that listen on the port 3000, which `run` replaces by a free port, and then print `listens`. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(HTTP_PROGRAMS).map(([name, program]) => [
      name,
      `${program}\nfunction started() { console.log('listens') }`,
    ]),
  ),
  'all-events.mjs': `
    import { createServer } from 'node:http'
    import { buffer } from 'node:stream/consumers'
    const server = createServer(async (request, response) => {
      const body = await buffer(request)
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      response.statusMessage = 'Fine'
      response.setHeader('X-Seen', JSON.stringify([request.method, request.url, request.rawHeaders, request.rawTrailers]))
      const isChunked = request.httpVersion === '1.1' && request.method !== 'HEAD'
      if (isChunked) response.setHeader('Trailer', 'X-Sum')
      response.writeHead(200, { 'Set-Cookie': ['a=1', 'b=2'], 'X-UPPER': 'case' })
      response.flushHeaders()
      response.write('received ')
      response.write(body)
      if (isChunked) response.addTrailers({ 'X-Sum': String(body.length) })
      response.end()
    })
    server.on('checkContinue', (request, response) => {
      response.writeContinue()
      server.emit('request', request, response)
    })
    server.on('checkExpectation', (request, response) => response.writeHead(417, 'Not Today').end('no'))
    server.on('upgrade', (request, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\nraw')
    })
    server.on('connect', (request, socket) => socket.end('HTTP/1.1 200 Connected\\r\\n\\r\\n' + request.url))
    server.on('clientError', (error, socket) => socket.end('HTTP/1.1 400 Bad\\r\\n\\r\\n' + error.code))
    server.listen(3000, () => console.log('listens'))`,
  'default-events.mjs': `
    import { createServer } from 'node:http'
    import { buffer } from 'node:stream/consumers'
    createServer(async (request, response) => {
      const { length } = await buffer(request)
      if (request.url === '/missing') response.statusCode = 404
      response.end(request.method + length)
    }).listen(3000, () => console.log('listens'))`,
}

describe.each(Object.keys(PROGRAMS))('%s sends the same bytes with and without the preload', (name) => {
  test.each(['--import', '--require'])('%s', async (flag) => {
    const plain = await run(name, [])
    const preloaded = await run(name, [flag, 'fcgi-bridge/register'])
    for (const [what, bytes] of Object.entries(plain.received)) {
      expect(preloaded.received[what], what).toBe(bytes)
    }
    expect(plain.received.GET).toMatch(/^HTTP\/1\.1 /)
    expect(preloaded.output).toBe(plain.output)
    expect(preloaded.exit).toEqual(plain.exit)
  })
})

interface Ran {
  received: Record<string, string>
  output: string
  exit: Exit
}

/** Runs a program as an HTTP server, holds all conversations with it and stops it. */
async function run(name: string, args: string[]): Promise<Ran> {
  const [port] = await freePorts(1)
  const file = site.write(`${port}-${name}`, PROGRAMS[name]!.replaceAll('3000', String(port)))
  const program = site.start(process.execPath, [...args, file], {
    cwd: site.folder,
    env: { PATH: process.env.PATH! },
  })
  await program.printed(/listens/)
  expect(await accepting({ host: 'localhost', port: port! }, () => !program.running)).toBe(true)
  const received = await Promise.all(
    Object.entries(CONVERSATIONS).map(async ([what, sent]) => [what, await converse(port!, sent)]),
  )
  const exit = await program.stop()
  return { received: Object.fromEntries(received), output: program.output, exit }
}

async function converse(port: number, sent: string): Promise<string> {
  const socket = connect(port, 'localhost')
  socket.write(sent, 'latin1')
  const received = await text(socket.setEncoding('latin1'))
  return received.replace(/^Date: .*\r$/gm, 'Date: …\r').replaceAll(String(port), 'PORT')
}
