import { availableParallelism } from 'node:os'
import { describe, expect, test } from 'vitest'
import { inheritableFlags, type PoolOptions, resolveOptions } from './options.ts'

const script = 'server.mjs'

test('the defaults', () => {
  expect(resolveOptions({ script })).toMatchObject({
    workers: 1,
    listen: undefined,
    maxSurge: 1,
    startTimeout: 30_000,
    stopTimeout: 30_000,
    stuckTimeout: 30_000,
    maxRequests: 0,
    slowAfter: 5000,
  })
})

test('auto is a worker for each processor', () => {
  expect(resolveOptions({ script, workers: 'auto' }).workers).toBe(availableParallelism())
})

test.each([
  [
    ['--enable-source-maps', '--inspect-brk=0', '--import', 'a.js'],
    ['--enable-source-maps', '--import', 'a.js'],
  ],
  [['--input-type=module', '-e', 'code', '--no-warnings'], ['--no-warnings']],
  [['--eval', '-e'], []],
])('of the flags %j, workers get %j', (flags, inherited) => {
  expect(inheritableFlags(flags)).toEqual(inherited)
})

describe('an invalid option throws an error that says what to write', () => {
  test.each<[PoolOptions, RegExp]>([
    [{ script, wrokers: 2 } as unknown as PoolOptions, /no option 'wrokers'. The options are script, args/],
    [{} as PoolOptions, /script is undefined; it takes the path/],
    [{ script, workers: 0 }, /workers is 0; it takes an integer from 1/],
    [{ script, workers: '4' as unknown as number }, /workers is 4; it takes an integer/],
    [{ script, maxAge: -1 }, /maxAge is -1; it takes a number of at least 0/],
    [{ script, stuckTimeout: Number.NaN }, /stuckTimeout is NaN/],
    [{ script, listen: { port: 9000, reusePort: true } }, /reusePort has no use in a pool/],
    [{ script, listen: [] }, /listen is empty/],
    [{ script, listen: {} as never }, /Specify one address to listen on/],
    [{ script, listen: { prot: 9000 } as never }, /no option 'prot'. Did you mean 'port'/],
    [{ script, listen: { port: 9000, host: '' } }, /host must be an IP address or a host name, not ""/],
    [{ script, listen: [{ port: 9000 }, { path: '/run/a', mode: 660 }] }, /Write 0o660/],
    [{ script, perWorkerSockets: true }, /perWorkerSockets needs the option listen/],
    [{ script, perWorkerSockets: true, listen: { path: '/run/app.sock' } }, /needs %i, as in/],
    [{ script, perWorkerSockets: true, listen: { fd: 3 } }, /one descriptor is one socket/],
    [{ script, perWorkerSockets: true, listen: { port: 0 } }, /takes the first port/],
  ])('%j', (options, message) => {
    expect(() => resolveOptions(options)).toThrow(message)
  })
})
