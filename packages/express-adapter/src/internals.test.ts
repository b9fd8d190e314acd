import { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { missingInternals, nodeEnd, requireInternals } from './internals.ts'

test('this Node has what the adapter relies on', () => {
  expect(missingInternals()).toEqual([])
})

test("Node's own end is known as that", () => {
  expect(nodeEnd).toBe(ServerResponse.prototype.end)
})

test('a Node without one of the methods is found out', () => {
  class Response extends ServerResponse {}
  Object.defineProperty(Response.prototype, '_storeHeader', { value: undefined })
  expect(missingInternals(IncomingMessage, Response as typeof ServerResponse)).toEqual(['_storeHeader'])
  class Request extends IncomingMessage {}
  Object.defineProperty(Request.prototype, '_dump', { value: undefined })
  expect(missingInternals(Request, ServerResponse)).toEqual(['_dump'])
})

test('a Node whose end goes another way is found out', () => {
  class Response extends ServerResponse {
    override end(): this {
      return this
    }
  }
  expect(missingInternals(IncomingMessage, Response as typeof ServerResponse)).toEqual([
    'the steps of a response (_storeHeader _send)',
  ])
})

test('what is missing is said with the version of Node, and what to do', () => {
  expect(() => requireInternals([])).not.toThrow()
  expect(() => requireInternals(['_storeHeader', 'kNeedDrain'])).toThrow(
    new RegExp(`Node ${process.version}: .*\\(_storeHeader, kNeedDrain\\).*Node 20, 22, 24 or 26`),
  )
})
