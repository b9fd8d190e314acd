import { setImmediate as nextLoop } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type AuthorizeHandler, toAuthorizer } from './index.ts'
import { ask, type FrontRequestInit, type FrontResponse, listen } from './testing/front.ts'

async function authorize(
  handler: AuthorizeHandler,
  init?: FrontRequestInit,
): Promise<{ response: FrontResponse; errors: unknown[] }> {
  const errors: unknown[] = []
  const server = await listen(
    { authorizer: toAuthorizer(handler) },
    { onError: (error) => errors.push(error) },
  )
  return { response: await ask(server, { role: 'authorizer', ...init }), errors }
}

describe('grants', () => {
  test.each<[what: string, handler: AuthorizeHandler]>([
    ['true', () => true],
    ['a promise of true', async () => true],
    ['a Response with status 200', () => new Response('ignored')],
    [
      'a Response whose body was read',
      async () => {
        const response = new Response('read')
        await response.text()
        return response
      },
    ],
  ])('%s: 200, no body, no headers', async (_what, handler) => {
    const { response, errors } = await authorize(handler)
    expect(response).toMatchObject({ status: 200, headers: [], text: '', stderr: '', protocolStatus: 0 })
    expect(errors).toEqual([])
  })

  test('Variable-* headers are sent with names in upper case; other headers are dropped', async () => {
    const { response } = await authorize(
      () =>
        new Response(null, {
          headers: {
            'Variable-REMOTE_USER': 'ann',
            'variable-auth_type': 'cookie',
            'Set-Cookie': 'a=1',
            'Content-Length': '0',
          },
        }),
    )
    expect(response.status).toBe(200)
    // The lines as sent: front servers keep the case of the name.
    expect([...response.lines].sort()).toEqual(['Variable-AUTH_TYPE: cookie', 'Variable-REMOTE_USER: ann'])
  })

  test('the body of a granting Response is cancelled', async () => {
    let cancelled = false
    const { response } = await authorize(
      () =>
        new Response(
          new ReadableStream({
            cancel: () => {
              cancelled = true
            },
          }),
        ),
    )
    expect(response.status).toBe(200)
    expect(cancelled).toBe(true)
  })

  test('the same Response can grant several requests', async () => {
    const yes = new Response('yes')
    const server = await listen({ authorizer: toAuthorizer(() => yes) })
    for (let i = 0; i < 3; i++) expect((await ask(server, { role: 'authorizer' })).status).toBe(200)
  })
})

describe('denies', () => {
  test('false is a 403', async () => {
    const { response, errors } = await authorize(() => false)
    expect(response).toMatchObject({ status: 403, text: '403 Forbidden\n', protocolStatus: 0 })
    expect(errors).toEqual([])
  })

  test.each([201, 204, 302, 401, 403, 503])('a Response with status %i is sent as it is', async (status) => {
    const { response } = await authorize(
      () =>
        new Response(status === 204 ? null : 'said', {
          status,
          headers: { 'www-authenticate': 'Basic realm="x"', location: '/login', 'set-cookie': 'a=1' },
        }),
    )
    expect(response).toMatchObject({ status, text: status === 204 ? '' : 'said' })
    expect(response.header('www-authenticate')).toBe('Basic realm="x"')
    expect(response.header('location')).toBe('/login')
    expect(response.header('set-cookie')).toBe('a=1')
  })

  test.each<[what: string, handler: () => unknown]>([
    ['undefined', () => undefined],
    ['null', () => null],
    ['1', () => 1],
    ["'true'", () => 'true'],
    ['{ status: 200 }', () => ({ status: 200 })],
    ['Response.error()', () => Response.error()],
    [
      'a throw',
      () => {
        throw new Error('secret')
      },
    ],
    ['a rejection', () => Promise.reject(new Error('secret'))],
    ['a Variable that cannot be sent', () => ({ status: 200, headers: [['variable-x', 'a\r\nb']] })],
    [
      'a body that fails',
      () =>
        new Response(new ReadableStream({ pull: () => Promise.reject(new Error('secret')) }), {
          status: 403,
        }),
    ],
  ])('%s is a complete 500', async (_what, handler) => {
    const { response, errors } = await authorize(handler as AuthorizeHandler)
    expect(response.status).toBe(500)
    expect(response.text).not.toContain('secret')
    expect(errors).toHaveLength(1)
  })

  test('a denial whose body fails after its first chunk is a 500, not a grant', async () => {
    let enqueued = false
    const { response } = await authorize(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              if (enqueued) throw new Error('broken')
              enqueued = true
              controller.enqueue(Buffer.from('half'))
            },
          }),
          { status: 403 },
        ),
    )
    expect(response.status).toBe(500)
  })

  test('a method that no Request can have is a 501', async () => {
    const { response } = await authorize(() => true, { method: 'TRACE' })
    expect(response.status).toBe(501)
  })
})

describe('the request', () => {
  test('has the data of the client and no body, and does not wait for the end of STDIN', async () => {
    const { response } = await authorize(
      async (request, context) => {
        expect(context.role).toBe('authorizer')
        expect(request.method).toBe('POST')
        expect(request.headers.get('cookie')).toBe('session=1')
        expect(await request.text()).toBe('')
        expect(context.params.REMOTE_PASSWD).toBe('word')
        return true
      },
      { method: 'POST', open: true, headers: { cookie: 'session=1' }, params: { REMOTE_PASSWD: 'word' } },
    )
    expect(response.status).toBe(200)
  })

  test('waitUntil works', async () => {
    const done: string[] = []
    const server = await listen(
      {
        authorizer: toAuthorizer((_request, context) => {
          context.waitUntil(nextLoop().then(() => done.push('logged')))
          return true
        }),
      },
      { drainTimeout: 10_000 },
    )
    await ask(server, { role: 'authorizer' })
    await server.close()
    expect(done).toEqual(['logged'])
  })
})

test('without a handler the role is refused, which denies access', async () => {
  const server = await listen({ responder: () => {} })
  const response = await ask(server, { role: 'authorizer' })
  expect(response).toMatchObject({ status: 500, protocolStatus: 3 })
})
