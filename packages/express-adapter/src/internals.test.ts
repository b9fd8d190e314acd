import { IncomingMessage, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { missingInternals, nodeEnd, requireInternals } from './internals.ts'

test('this version of Node has every internal that the adapter needs', () => {
  expect(missingInternals()).toEqual([])
})

test("nodeEnd is Node's own end", () => {
  expect(nodeEnd).toBe(ServerResponse.prototype.end)
})

test('a version of Node without one of the methods is detected', () => {
  class Response extends ServerResponse {}
  Object.defineProperty(Response.prototype, '_storeHeader', { value: undefined })
  expect(missingInternals(IncomingMessage, Response as typeof ServerResponse)).toEqual(['_storeHeader'])
  class Request extends IncomingMessage {}
  Object.defineProperty(Request.prototype, '_dump', { value: undefined })
  expect(missingInternals(Request, ServerResponse)).toEqual(['_dump'])
})

test('a version of Node whose end() takes other steps is detected', () => {
  class Response extends ServerResponse {
    override end(): this {
      return this
    }
  }
  expect(missingInternals(IncomingMessage, Response as typeof ServerResponse)).toEqual([
    'the steps of a response (_storeHeader _send)',
  ])
})

test('the error names the version of Node, the missing internals, and what to do', () => {
  expect(() => requireInternals([])).not.toThrow()
  expect(() => requireInternals(['_storeHeader', 'kNeedDrain'])).toThrow(
    new RegExp(`Node ${process.version}, .*: _storeHeader, kNeedDrain\\. .*Node 20, 22, 24 or 26`),
  )
})
