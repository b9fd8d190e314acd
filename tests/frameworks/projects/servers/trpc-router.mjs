import { initTRPC } from '@trpc/server'
import { octetInputParser } from '@trpc/server/http'
import { z } from 'zod'

const { procedure, router } = initTRPC.create({ isDev: false })
let disconnects = 0

export const appRouter = router({
  hello: procedure.input(z.string()).query(({ input }) => `hello ${input}`),
  add: procedure.input(z.object({ text: z.string() })).mutation(({ input }) => ({ added: input.text })),
  upload: procedure.input(z.instanceof(FormData)).mutation(async ({ input }) => {
    const file = input.get('file')
    return { name: file.name, bytes: (await file.arrayBuffer()).byteLength }
  }),
  // Any type but JSON and forms.
  octets: procedure.input(octetInputParser).mutation(async ({ input }) => {
    let bytes = 0
    for await (const chunk of input) bytes += chunk.length
    return { bytes }
  }),
  disconnects: procedure.query(() => disconnects),
  fail: procedure.query(() => {
    throw new Error('wrong')
  }),
  count: procedure.subscription(async function* ({ signal }) {
    signal.addEventListener('abort', () => disconnects++)
    for (let count = 1; !signal.aborted; count++) {
      yield count
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }),
})
