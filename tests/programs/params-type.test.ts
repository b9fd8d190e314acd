// A param that the front server did not send is undefined, and the types of each package include that.
import type { Exchange } from '@fcgi-bridge/core'
import type { FcgiInfo } from '@fcgi-bridge/express-adapter'
import type { FetchContext } from '@fcgi-bridge/fetch-adapter'
import { expect, test } from 'vitest'

// Not `params.NAME`: this project sets noUncheckedIndexedAccess, which adds undefined for any Record.
type Value<Params> = Params extends Readonly<Record<string, infer Type>> ? Type : never

test('the type of a param includes undefined', () => {
  const core: Value<Exchange['params']> = undefined
  const express: Value<FcgiInfo['params']> = undefined
  const fetch: Value<FetchContext['params']> = undefined
  expect([core, express, fetch]).toEqual([undefined, undefined, undefined])
})
