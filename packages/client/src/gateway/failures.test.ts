import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { Responder, type ResponderRequest } from '@fcgi-bridge/testing'
import supertest from 'supertest'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { pieces } from '../testing/bytes.ts'
import { open, raw, untilStalled } from '../testing/gateway.ts'
import { deferred } from '../testing/setup.ts'
import { createGateway } from './gateway.ts'

const SIZE = 64 * 1024 * 1024
const UPLOAD = 8 * 1024 * 1024

describe('failures', () => {
  test('the application is down: a 502 page, and the reason in the log', async () => {
    const { url, port, responder, errors } = await open(() => {}, { exposeErrors: false })
    await responder.close()
    const response = await fetch(url)
    expect(response.status).toBe(502)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const page = await response.text()
    expect(page).toBe('502 Bad Gateway\n\nThe application behind this gateway sent no valid response.\n')
    expect(errors).toMatchObject([{ code: 'ECONNREFUSED' }])
    expect(await (await fetch(url, { method: 'HEAD' })).text()).toBe('')
    // The gateway reads and drops the body, so that it finds the next request after it.
    const upload = `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${UPLOAD}\r\n\r\n${'x'.repeat(UPLOAD)}`
    const both = await raw(port, `${upload}GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)
    expect(both.match(/HTTP\/1\.1 502/g)).toHaveLength(2)
  })

  test('the page says what to do if errors are exposed, and is HTML for browsers', async () => {
    const { url, responder } = await open(() => {}, { exposeErrors: true })
    await responder.close()
    const page = await (await fetch(url)).text()
    expect(page).toMatch(
      /^502 Bad Gateway\n\n.*\n\nconnect ECONNREFUSED 127\.0\.0\.1:\d+\n\nNothing listens there\. Start/,
    )
    const response = await fetch(url, { headers: { accept: 'text/html,*/*;q=0.8' } })
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(await response.text()).toMatch(
      /<h1>502 Bad Gateway<\/h1>\n<p>The.*<p>Nothing listens there\. Start/s,
    )
  })

  test('the page escapes what an application or a client sends', async () => {
    const { url } = await open((r) => r.respond('<script>\n\n'), { exposeErrors: true })
    const response = await fetch(url, { headers: { accept: 'text/html' } })
    expect(await response.text()).toContain('This line is not a header: &#34;&#60;script&#62;&#34;')
  })

  test.each([
    [undefined, true],
    ['development', true],
    ['production', false],
  ])('with NODE_ENV %s, exposeErrors is %s', async (environment, exposed) => {
    vi.stubEnv('NODE_ENV', environment)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { url, responder } = await open(() => {})
    await responder.close()
    expect((await (await fetch(url)).text()).includes('ECONNREFUSED')).toBe(exposed)
  })

  test.each([
    [
      'a socket that does not exist',
      '/no/such.sock',
      502,
      /ENOENT \/no\/such\.sock\n\nThe socket does not exist\. Start/,
    ],
    [
      'a file that is not a socket',
      '/etc/hostname',
      502,
      /nothing listens on it\. Start the application again/,
    ],
    ['an unknown host', 'no-such-host.invalid:9000', 502, /The host name cannot be resolved on this machine/],
  ])('%s', async (_, address, status, page) => {
    const gateway = createGateway(address, { onError: () => {}, exposeErrors: true })
    const response = await supertest(gateway).get('/').expect(status)
    expect(response.text).toMatch(page)
  })

  test('an HTTP server in place of an application', async () => {
    const server = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const gateway = createGateway(`127.0.0.1:${port}`, { onError: () => {}, exposeErrors: true })
    const response = await supertest(gateway).get('/').expect(502)
    expect(response.text).toContain(
      'The program at this address does not speak FastCGI. Check whether it is an HTTP server.',
    )
  })

  test.each([
    ['no response', 502, (r: ResponderRequest) => r.end()],
    ['FCGI_OVERLOADED', 503, (r: ResponderRequest) => r.end(0, 2)],
    ['a connection that closes', 502, (r: ResponderRequest) => void r.socket.end()],
    ['a malformed CGI head', 502, (r: ResponderRequest) => r.respond('HTTP/1.1 200 OK\r\n\r\n')],
    ['a time-out', 504, () => {}],
  ])('%s is a %d', async (_, status, handler) => {
    const { url, errors } = await open(handler, status === 504 ? { headersTimeout: 50 } : {})
    const response = await fetch(url)
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(new RegExp(`^${status} `))
    expect(errors).toHaveLength(1)
  })

  test.each([
    ['with', 'Content-Length: 10\r\n\r\nhello'],
    ['without', '\r\nhello'],
  ])('a response %s length that is cut off is an error for the client', async (_, text) => {
    const { url, errors } = await open((r) => {
      r.stdout(text)
      r.socket.end()
    })
    const response = await fetch(url)
    await expect(response.text()).rejects.toThrow()
    expect(errors).toMatchObject([{ code: 'FCGI_ERR_CONNECTION_CLOSED' }])
  })

  test('a client that disconnects while it waits, uploads or downloads aborts the request', async () => {
    const apps: ((request: ResponderRequest) => void)[] = []
    const { port, errors } = await open((r) => apps.shift()!(r))
    const meet = async (request: string): Promise<[Socket, ResponderRequest]> => {
      const app = deferred<ResponderRequest>()
      apps.push(app.resolve)
      const socket = connect(port, '127.0.0.1')
      socket.write(request)
      return [socket, await app.promise]
    }
    const [waiting, first] = await meet('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    waiting.destroy()
    await first.aborted
    const [uploading, second] = await meet('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhel')
    uploading.destroy()
    await second.aborted
    const [reading, third] = await meet('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    third.stdout('\r\nhello')
    await once(reading, 'data')
    reading.destroy()
    await third.aborted
    // Clients disconnect all the time, so it is not logged.
    expect(errors).toEqual([])
  })

  test('an early response reaches a client that is still sending, and the connection is reused', async () => {
    const client = deferred<Socket>()
    let requests = 0
    const { port, server } = await open(async (r) => {
      if (requests++ > 0) return r.respond('\r\nsecond')
      r.socket.pause()
      await untilStalled(await client.promise)
      r.stdout('Status: 413\r\nContent-Length: 9\r\n\r\ntoo large')
      r.end()
    })
    server.once('connection', client.resolve)
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${SIZE}\r\n\r\n`)
    Readable.from(pieces(SIZE)).pipe(socket, { end: false })
    const sent = once(socket, 'unpipe')
    const read = async (until: string): Promise<void> => {
      for (let got = ''; !got.endsWith(until); ) got += (await once(socket, 'data'))[0]
    }
    await read('too large')
    await sent
    socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    await read('6\r\nsecond\r\n0\r\n\r\n')
    socket.destroy()
  })

  test('the default log is one line on process.stderr', async () => {
    const responder = await Responder.listen((r) => {
      r.stderr('the app says\n')
      r.end()
    })
    onTestFinished(() => responder.close())
    const written: string[] = []
    const { write } = process.stderr
    process.stderr.write = ((chunk: Uint8Array | string) => written.push(String(chunk))) as never
    onTestFinished(() => {
      process.stderr.write = write
    })
    await supertest(createGateway(responder.address)).get('/x?y=1').expect(502)
    expect(written).toEqual([
      'the app says\n',
      'fcgi-bridge gateway: GET /x?y=1: The FastCGI application ended the request without a response (appStatus 0).\n',
    ])
  })

  test('a failed connection is logged with advice, as two sentences', async () => {
    const written: string[] = []
    const { write } = process.stderr
    process.stderr.write = ((chunk: string) => written.push(chunk)) as never
    onTestFinished(() => {
      process.stderr.write = write
    })
    await supertest(createGateway('/no/such/app.sock')).get('/').expect(502)
    expect(written).toEqual([
      'fcgi-bridge gateway: GET /: connect ENOENT /no/such/app.sock. The socket does not exist. Start the application, or give the gateway the path that it listens on.\n',
    ])
  })
})
