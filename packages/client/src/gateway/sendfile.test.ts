import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open, raw } from '../testing/gateway.ts'
import { createGateway, type GatewayOptions } from './gateway.ts'

let parent: string
let folder: string

beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  folder = join(parent, 'files')
  mkdirSync(join(folder, 'sub'), { recursive: true })
  writeFileSync(join(parent, 'secret.txt'), 'TOP SECRET')
  mkdirSync(join(parent, 'files-too'))
  writeFileSync(join(parent, 'files-too', 'a.txt'), 'TOP SECRET')
  for (const name of ['a.txt', 'a b.txt', 'caf\xe9.txt', '.hidden', 'sub/b.html', '50%.txt']) {
    writeFileSync(join(folder, name), `this is ${name}`)
  }
  symlinkSync('a.txt', join(folder, 'inner.txt'))
  symlinkSync('../secret.txt', join(folder, 'outer.txt'))
  symlinkSync('..', join(folder, 'up'))
})

afterAll(() => rmSync(parent, { recursive: true }))

/** Responds with the header lines in its query, and with a body that clients must not get. */
function named(r: ResponderRequest): void {
  r.respond(`${decodeURIComponent(r.params.QUERY_STRING!)}\r\n\r\nnot to be seen`)
}

interface Asked {
  status: number
  headers: Headers
  body: string
  errors: readonly Error[]
}

async function ask(lines: string, options: GatewayOptions, init: RequestInit = {}): Promise<Asked> {
  const { url, errors } = await open(named, options)
  const response = await fetch(`${url}/?${encodeURIComponent(lines)}`, init)
  const { status, headers } = response
  expect(headers.has('x-sendfile')).toBe(false)
  expect(headers.has('x-accel-redirect')).toBe(false)
  return { status, headers, body: await response.text(), errors }
}

const sendfile = (path: string, init?: RequestInit, lines = ''): Promise<Asked> =>
  ask(`${lines}X-Sendfile: ${folder}/${path}`, { xSendfile: ['/nowhere', folder] }, init)
const accel = (uri: string, init?: RequestInit, lines = ''): Promise<Asked> =>
  ask(
    `${lines}X-Accel-Redirect: ${uri}`,
    { xAccelRedirect: { '/': '/nowhere', '/protected/': folder } },
    init,
  )

describe.each([
  ['X-Sendfile', sendfile],
  [
    'X-Accel-Redirect',
    (path: string, init?: RequestInit, lines?: string) => accel(`/protected/${path}`, init, lines),
  ],
] as const)('%s', (name, get) => {
  test('the file replaces the body', async () => {
    const { status, headers, body, errors } = await get('sub/b.html')
    expect({ status, body, errors }).toEqual({ status: 200, body: 'this is sub/b.html', errors: [] })
    expect(headers.get('content-type')).toMatch(/^text\/html/)
    expect(headers.get('content-length')).toBe('18')
    expect(headers.get('accept-ranges')).toBe('bytes')
    expect(headers.has('last-modified')).toBe(true)
    expect(headers.has('etag')).toBe(true)
    expect(headers.has('cache-control')).toBe(false)
  })

  test.each([
    ['a b.txt', 'a b.txt'],
    ['a%20b.txt', 'a b.txt'],
    ['caf\xe9.txt', 'caf\xe9.txt'],
    ['caf%C3%A9.txt', 'caf\xe9.txt'],
    ['50%25.txt', '50%.txt'],
    ['.hidden', '.hidden'],
    ['inner.txt', 'a.txt'],
  ])('%s is sent', async (path, content) => {
    // Header values are bytes.
    const asBytes = Buffer.from(path).toString('latin1')
    expect((await get(asBytes)).body).toBe(`this is ${content}`)
  })

  test('headers of the application for the file are kept', async () => {
    const lines =
      'Content-Type: x/y\r\nContent-Length: 14\r\nContent-Disposition: attachment\r\nCache-Control: private\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n'
    const { headers, body } = await get('a.txt', {}, lines)
    expect(body).toBe('this is a.txt')
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'x/y',
      'content-length': '13',
      'content-disposition': 'attachment',
      'cache-control': 'private',
    })
  })

  test('a range, a condition, HEAD, and POST', async () => {
    const part = await get('a.txt', { headers: { range: 'bytes=5-6' } })
    expect([part.status, part.body, part.headers.get('content-range')]).toEqual([206, 'is', 'bytes 5-6/13'])
    const beyond = await get('a.txt', { headers: { range: 'bytes=99-' } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */13'])
    const etag = part.headers.get('etag')!
    // Node's fetch adds Cache-Control: no-cache to a conditional request.
    const fresh = { 'if-none-match': etag, 'cache-control': 'max-age=0' }
    const same = await get('a.txt', { headers: fresh })
    expect([same.status, same.body]).toEqual([304, ''])
    expect((await get('a.txt', { headers: { 'if-match': '"other"' } })).status).toBe(412)
    const head = await get('a.txt', { method: 'HEAD' })
    expect([head.status, head.body, head.headers.get('content-length')]).toEqual([200, '', '13'])
    expect((await get('a.txt', { method: 'POST', body: 'x' })).body).toBe('this is a.txt')
  })

  test.each([
    ['a file that does not exist', 'nothing.txt', 404],
    ['a folder', 'sub', 403],
    ['a folder with a slash', 'sub/', 403],
    ['a link out of the folder', 'outer.txt', 403],
    ['a path through such a link', 'up/secret.txt', 403],
    ['NUL', 'a.txt%00.html', 404],
    ['a malformed percent-encoding', '%zz', 404],
    ['a file as a folder', 'a.txt/x', 404],
  ])('%s is reported in the log and not to the client', async (_, path, status) => {
    const asked = await get(path)
    expect(asked.status).toBe(status)
    expect(asked.body).not.toContain('TOP SECRET')
    expect(asked.body).not.toContain('not to be seen')
    expect(asked.errors).toHaveLength(1)
    const lines = `X-Sendfile: ${folder}/${path}\r\nX-Accel-Redirect: /protected/${path}`
    const options = { xSendfile: folder, xAccelRedirect: { '/protected/': folder }, exposeErrors: false }
    expect((await ask(lines, options)).body).not.toContain(folder)
  })

  test.each([
    ['../secret.txt', name === 'X-Sendfile' ? 403 : 404],
    ['sub/../../secret.txt', name === 'X-Sendfile' ? 403 : 404],
    ['%2e%2e/secret.txt', name === 'X-Sendfile' ? 403 : 404],
    ['..%2fsecret.txt', name === 'X-Sendfile' ? 403 : 404],
    ['../files-too/a.txt', name === 'X-Sendfile' ? 403 : 404],
  ])('%s does not leave the folder', async (path, status) => {
    const asked = await get(path)
    expect(asked.status).toBe(status)
    expect(asked.body).not.toContain('TOP SECRET')
    expect(asked.errors).toHaveLength(1)
  })

  test('the connection is reused after a file', async () => {
    const { port } = await open(named, { xSendfile: folder, xAccelRedirect: { '/protected/': folder } })
    const line = name === 'X-Sendfile' ? `X-Sendfile: ${folder}/a.txt` : 'X-Accel-Redirect: /protected/a.txt'
    const request = `GET /?${encodeURIComponent(line)} HTTP/1.1\r\nHost: h\r\n`
    const response = await raw(port, `${request}\r\n${request}Connection: close\r\n\r\n`)
    expect(response.match(/this is a\.txt/g)).toHaveLength(2)
  })
})

describe('differences between the two headers', () => {
  test('X-Sendfile keeps the status and all headers, X-Accel-Redirect those that nginx keeps', async () => {
    const lines = 'Status: 404 Not Found\r\nX-Other: 1\r\nETag: "app"\r\n'
    const range = { headers: { range: 'bytes=5-6' } }
    const ofSendfile = await sendfile('a.txt', range, lines)
    expect([ofSendfile.status, ofSendfile.body, ofSendfile.headers.get('x-other')]).toEqual([
      404,
      'this is a.txt',
      '1',
    ])
    expect(ofSendfile.headers.get('etag')).toBe('"app"')
    const ofAccel = await accel('/protected/a.txt', range, lines)
    expect([ofAccel.status, ofAccel.body, ofAccel.headers.get('x-other')]).toEqual([206, 'is', null])
    expect(ofAccel.headers.get('etag')).not.toBe('"app"')
  })

  test('X-Accel-Redirect may have a query, and the longest prefix wins', async () => {
    expect((await accel('/protected/a.txt?x=1')).body).toBe('this is a.txt')
    expect((await accel('/other/a.txt')).status).toBe(404)
  })

  test('X-Sendfile with a file outside of its folders', async () => {
    const options = { xSendfile: folder }
    for (const path of ['/etc/hostname', `${folder}-too/a.txt`, 'a.txt', '%2fetc%2fhostname']) {
      expect((await ask(`X-Sendfile: ${path}`, options)).status).toBe(403)
    }
  })
})

test('without the options the headers are dropped, and the body is sent', async () => {
  const { url } = await open((r) =>
    r.respond('X-Sendfile: /etc/hostname\r\nX-Accel-Redirect: /x\r\n\r\nbody'),
  )
  const response = await fetch(url)
  expect(response.headers.has('x-sendfile')).toBe(false)
  expect(response.headers.has('x-accel-redirect')).toBe(false)
  expect(await response.text()).toBe('body')
})

test('invalid options are refused at once', () => {
  expect(() => createGateway('h:1', { xSendfile: 'files' })).toThrow(
    /xSendfile: "files" must be an absolute path/,
  )
  expect(() => createGateway('h:1', { xAccelRedirect: { '/a': '/srv' } })).toThrow(
    /"\/a" must begin and end with a slash/,
  )
  expect(() => createGateway('h:1', { xAccelRedirect: { '/a/': 'srv' } })).toThrow(/must be an absolute path/)
})
