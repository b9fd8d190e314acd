// serve() of each package rejects options that it does not know or support.
import { type ServeOptions, serve } from '@fcgi-bridge/core'
import { serve as serveListener } from '@fcgi-bridge/express-adapter'
import { serve as serveFetch } from '@fcgi-bridge/fetch-adapter'
import { describe, expect, test } from 'vitest'

const fetch = () => new Response()

describe.each<[string, (options: ServeOptions) => Promise<unknown>]>([
  ['core', (options) => serve(() => {}, options)],
  ['the Express adapter', (options) => serveListener(() => {}, options)],
  ['the fetch adapter, as serve(fetch, options)', (options) => serveFetch(fetch, options)],
  ['the fetch adapter, as serve({ fetch }, options)', (options) => serveFetch({ fetch }, options)],
])('%s', (_, start) => {
  test.each<[unknown, string]>([
    [9000, 'Write { port: 9000 }.'],
    ['/run/app.sock', "Write { path: '/run/app.sock' }."],
    [{ port: 0, hostname: '::1' }, "There is no option 'hostname'. Did you mean 'host'?"],
    [{ port: 0, maxBodySize: 5 }, "There is no option 'maxBodySize'. Did you mean 'maxBodyBytes'?"],
    [{ port: 0, path: '/run/app.sock' }, 'Specify one address to listen on'],
    [{ path: '/run/app.sock', mode: 660 }, 'Write 0o660.'],
  ])('rejects %j, and says what to write instead', async (options, message) => {
    await expect(start(options as ServeOptions)).rejects.toThrow(message)
  })
})
