import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Params } from '../cgi/params.ts'
import { RequestHead } from '../cgi/request-head.ts'
import { encodeNameValues } from '../protocol/name-values.ts'
import { separateKeptHeaders } from './http-server-events.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const PARAMS = encodeNameValues([
  ['REQUEST_METHOD', 'GET'],
  ['HTTP_HOST', 'shop.example.com'],
  ['HTTP_USER_AGENT', 'a browser of today'],
  ['HTTP_X_LARGE', 'x'.repeat(32 * 1024)],
])
const COUNT = 200

function usedHeap(): number {
  collectGarbage()
  return getHeapStatistics().used_heap_size
}

test('the host and the user-agent of a request can be kept without its params', () => {
  const kept: string[] = []
  const before = usedHeap()
  for (let i = 0; i < COUNT; i++) {
    const { headers } = new RequestHead(new Params(PARAMS))
    separateKeptHeaders(headers)
    expect(headers.slice(0, 4)).toEqual(['host', 'shop.example.com', 'user-agent', 'a browser of today'])
    kept.push(headers[1]!, headers[3]!)
  }
  expect((usedHeap() - before) / COUNT).toBeLessThan(PARAMS.length / 2)
  expect(kept).toHaveLength(2 * COUNT)
})
