// Property tests: any params result in a request with a valid URL, or are refused. tests/conformance/any-params.test.ts tests the same with
// the adapters.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyNameValueBlock, anyParams, paramsBlock } from '../testing/arbitraries.ts'
import { checkRequest } from './check-request.ts'
import { RequestError } from './error.ts'
import { findMount } from './mount.ts'
import { Params } from './params.ts'
import { createRequest } from './request.ts'
import { RequestHead } from './request-head.ts'

/** Reads a block like the server does. Returns undefined if it is refused with a 400. */
function read(block: Buffer): RequestHead | undefined {
  try {
    const head = new RequestHead(new Params(block))
    checkRequest(head)
    return head
  } catch (error) {
    expect(error).toBeInstanceOf(RequestError)
    expect((error as RequestError).status).toBe(400)
    return undefined
  }
}

function checkHead(head: RequestHead): void {
  const url = new URL(head.url)
  // No part of the target has become part of the authority, or the other way round.
  const origin = new URL(`${head.scheme}://${head.authority}`)
  expect(url.origin).toBe(origin.origin)
  expect(url.username + url.password).toBe('')
  expect(head.target).toMatch(/^(?:\/|\*$)/)
  expect(findMount(head.params, head.target, 'auto', '/srv/app.fcgi')).toMatch(/^(?:|\/.*[^/])$/s)

  if (/^(?:connect|trace|track)$/i.test(head.method)) {
    expect(() => createRequest(head, () => null)).toThrow(TypeError)
    return
  }
  const request = createRequest(head, () => null)
  expect(request.url).toBe(url.href)
  for (let i = 0; i < head.headers.length; i += 2) {
    expect(request.headers.has(head.headers[i]!)).toBe(true)
    expect(head.headers[i + 1]).not.toMatch(/[\r\n\0]/)
  }
}

test('any params result in a request with a valid URL, or a 400', () => {
  let requests = 0
  fc.assert(
    fc.property(anyParams, (list) => {
      const head = read(paramsBlock(list))
      if (head === undefined) return
      requests++
      checkHead(head)
    }),
    { numRuns: 3000 },
  )
  // The test is useless if the generator's params are nearly all refused.
  expect(requests).toBeGreaterThan(500)
})

test('any bytes as params result in a request with a valid URL, or a 400', () => {
  const method = paramsBlock([['REQUEST_METHOD', 'GET']])
  fc.assert(
    fc.property(anyNameValueBlock, (block) => {
      const head = read(Buffer.concat([method, block]))
      if (head !== undefined) checkHead(head)
    }),
    { numRuns: 1000 },
  )
})
