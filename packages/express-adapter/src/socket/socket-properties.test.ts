import { createServer as createHttpServer, get as httpGet, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer, get as httpsGet } from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cert, key } from '../testing/certificate.ts'
import { serveForTest } from '../testing/served.ts'

// Compares every property of req.socket with that of a real socket in the listener of an http or https server.

// Node's HTTP server replaces these methods on each of its sockets, so that its parser gets the bytes before any listener.
const REPLACED_BY_THE_PARSER = ['on', 'addListener', 'prependListener', 'setEncoding']
// True on a real socket, because the parser reads from it. Null on ours, which has no data and no reader.
const READ_BY_THE_PARSER = 'readableFlowing'

interface Described {
  in: boolean
  own: boolean
  type: string
  enumerable: boolean | undefined
  configurable: boolean | undefined
  accessor: boolean
  assigned: string
  left: string
}

// Includes the effect of an assignment and of a delete. Restores the socket.
function describeProperty(socket: object, name: string): Described {
  const target = socket as Record<string, unknown>
  const own = Object.getOwnPropertyDescriptor(socket, name)
  const inherited = own ?? inheritedDescriptor(socket, name)
  const described = {
    in: name in socket,
    own: own !== undefined,
    // Ours has null in place of an http.Server, an HTTPParser or a TLS handle.
    type: name === READ_BY_THE_PARSER ? 'any' : typeof target[name],
    enumerable: inherited?.enumerable,
    configurable: inherited?.configurable,
    accessor: inherited?.get !== undefined,
    assigned: '',
    left: '',
  }
  const before = target[name]
  const value = {}
  try {
    target[name] = value
    described.assigned = target[name] === value ? 'kept' : 'ignored'
  } catch (error) {
    described.assigned = (error as Error).name
  }
  try {
    delete target[name]
    described.left = own !== undefined && name in socket ? 'in the prototype' : 'as it was'
  } catch (error) {
    described.left = (error as Error).name
  }
  if (own !== undefined) Object.defineProperty(socket, name, own)
  else if (inherited?.set !== undefined) target[name] = before
  return described
}

function inheritedDescriptor(object: object, name: string): PropertyDescriptor | undefined {
  let owner = Object.getPrototypeOf(object) as object | null
  while (owner !== null) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name)
    if (descriptor !== undefined) return descriptor
    owner = Object.getPrototypeOf(owner) as object | null
  }
  return undefined
}

function namesOf(socket: object): string[] {
  const names = new Set<string>()
  for (let owner: object | null = socket; owner !== null; owner = Object.getPrototypeOf(owner)) {
    if (owner === Object.prototype) break
    for (const name of Object.getOwnPropertyNames(owner)) names.add(name)
  }
  return [...names].filter((name) => !name.startsWith('_') && !REPLACED_BY_THE_PARSER.includes(name)).sort()
}

function describeAll(socket: object, names: readonly string[]): Record<string, Described> {
  return Object.fromEntries(names.map((name) => [name, describeProperty(socket, name)]))
}

/** Calls `look` with a request of a real HTTP server. */
async function withReal(secure: boolean, look: (request: IncomingMessage) => void): Promise<void> {
  const listener = (request: IncomingMessage): void => {
    look(request)
    request.socket.destroy()
  }
  const server = secure ? createHttpsServer({ key, cert }, listener) : createHttpServer(listener)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise<unknown>((resolve) => {
    const options = { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false }
    ;(secure ? httpsGet : httpGet)(options).on('error', resolve)
  })
  await new Promise((resolve) => {
    server.closeAllConnections()
    server.close(resolve)
  })
}

async function withOurs(secure: boolean, look: (request: IncomingMessage) => void): Promise<void> {
  const { client } = await serveForTest(
    (request, response) => {
      look(request)
      response.end()
    },
    { front: { params: secure ? { HTTPS: 'on' } : {} } },
  )
  expect((await client.send().response).status).toBe(200)
}

describe.each([
  ['HTTP', false],
  ['HTTPS', true],
] as const)('req.socket over %s has the properties of a real socket', (_, secure) => {
  let names: string[] = []
  let real: Record<string, Described> = {}
  let ours: Record<string, Described> = {}

  beforeAll(async () => {
    await withReal(secure, ({ socket }) => {
      names = namesOf(socket)
      real = describeAll(socket, names)
    })
  })

  afterAll(() => {
    names = []
  })

  test('existence, own or inherited, type, attributes, assignment, deletion', async () => {
    expect(names).toContain('remoteAddress')
    expect(names.includes('encrypted')).toBe(secure)
    await withOurs(secure, ({ socket }) => {
      ours = describeAll(socket, names)
    })
    expect(ours).toEqual(real)
  })

  test('properties of the other kind of socket are absent, and can be assigned', async () => {
    const others = namesOf((secure ? Socket : TLSSocket).prototype).filter((name) => !names.includes(name))
    others.push(
      ...(secure ? [] : ['encrypted', 'authorized', 'servername', 'alpnProtocol']),
      'timeout',
      'custom',
    )
    const absent = others.filter((name) => !names.includes(name))
    let realThen: Record<string, Described> = {}
    await withReal(secure, ({ socket }) => {
      realThen = describeAll(socket, absent)
    })
    await withOurs(secure, ({ socket }) => {
      ours = describeAll(socket, absent)
    })
    expect(ours).toEqual(realThen)
    for (const name of absent)
      expect([name, ours[name]!.in, ours[name]!.assigned]).toEqual([name, false, 'kept'])
  })

  test('setTimeout sets `timeout`, and refuses the same values as a real socket', async () => {
    const seen: unknown[][] = []
    const look = ({ socket }: IncomingMessage): void => {
      const lines: unknown[] = []
      for (const args of [
        [5],
        [0],
        ['5'],
        [-1],
        [Number.NaN],
        [Number.POSITIVE_INFINITY],
        [2 ** 40],
        [1, 'x'],
        [1, null],
      ]) {
        try {
          lines.push(Reflect.apply(socket.setTimeout, socket, args) === socket)
        } catch (error) {
          lines.push((error as NodeJS.ErrnoException).code)
        }
        lines.push(socket.timeout)
      }
      socket.setTimeout(0)
      seen.push(lines)
    }
    await withReal(secure, look)
    await withOurs(secure, look)
    expect(seen[1]).toEqual(seen[0])
  })
})

test('over HTTP `encrypted` is absent, as on a real socket, and can be assigned', async () => {
  await withOurs(false, ({ socket }) => {
    expect('encrypted' in socket).toBe(false)
    ;(socket as unknown as { encrypted: boolean }).encrypted = true
    expect((socket as unknown as { encrypted: boolean }).encrypted).toBe(true)
  })
})

test('over HTTPS the socket has the TLS values of the SSL_* params', async () => {
  const seen: unknown[] = []
  const { client } = await serveForTest(
    (request, response) => {
      const socket = request.socket as TLSSocket
      seen.push(
        socket.encrypted,
        socket.authorized,
        socket.getProtocol(),
        socket.getCipher().name,
        socket.isSessionReused(),
        (socket as unknown as { servername: string }).servername,
        socket.getPeerCertificate().subject?.CN,
        socket.getPeerX509Certificate()?.subject,
      )
      expect(() => socket.exportKeyingMaterial(1, 'x', Buffer.alloc(0))).toThrow(/front server/)
      expect(socket.renegotiate({}, () => response.end())).toBe(false)
    },
    {
      front: {
        params: {
          HTTPS: 'on',
          SSL_PROTOCOL: 'TLSv1.3',
          SSL_CIPHER: 'TLS_AES_256_GCM_SHA384',
          SSL_CLIENT_VERIFY: 'SUCCESS',
          SSL_CLIENT_CERT: cert.replaceAll('\n', '\n\t'),
          SSL_SESSION_RESUMED: 'Resumed',
          SSL_TLS_SNI: 'example.test',
        },
      },
    },
  )
  await client.send().response
  expect(seen).toEqual([
    true,
    true,
    'TLSv1.3',
    'TLS_AES_256_GCM_SHA384',
    true,
    'example.test',
    'localhost',
    'CN=localhost',
  ])
})

test.each(['', 'no certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])(
  'an unreadable client certificate is treated as no certificate: %j',
  async (pem) => {
    const seen: unknown[] = []
    const { client } = await serveForTest(
      (request, response) => {
        const socket = request.socket as TLSSocket
        seen.push(socket.authorized, socket.getPeerCertificate(), socket.getPeerX509Certificate())
        response.end()
      },
      { front: { params: { HTTPS: 'on', SSL_CLIENT_CERT: pem } } },
    )
    await client.send().response
    expect(seen).toEqual([false, {}, undefined])
  },
)
