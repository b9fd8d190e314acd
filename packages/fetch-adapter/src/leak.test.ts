import { setImmediate as nextLoop } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { toHandler } from './index.ts'
import { Front, listen } from './testing/front.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('a request that has ended, in any way, is freed while its connection stays open', async () => {
  const refs: WeakRef<object>[] = []
  const server = await listen(
    toHandler(async (request, context) => {
      const { pathname } = new URL(request.url)
      request.signal.addEventListener('abort', () => {})
      if (pathname === '/fails') throw new Error('fails')
      const stream = new ReadableStream({
        start: (controller) => {
          controller.enqueue(Buffer.from(request.url))
          if (pathname === '/ends') controller.close()
        },
      })
      const response = new Response(pathname === '/text' ? await request.text() : stream)
      refs.push(
        ...[request, request.signal, context, context.incoming, stream, response].map((o) => new WeakRef(o)),
      )
      return response
    }),
  )
  const front = await Front.connect(server)
  for (let i = 0; i < 25; i++) {
    await front.request({ target: '/text', body: 'text' }).response()
    await front.request({ target: '/ends' }).response()
    await front.request({ target: '/fails' }).response()
    const aborted = front.request({ target: '/aborted' })
    await aborted.chunk()
    aborted.abort()
    await aborted.ended()
  }
  expect(refs).toHaveLength(25 * 3 * 6)
  await expect
    .poll(async () => {
      await nextLoop()
      collectGarbage()
      return refs.filter((ref) => ref.deref() !== undefined).length
    })
    .toBeLessThanOrEqual(6)
})
