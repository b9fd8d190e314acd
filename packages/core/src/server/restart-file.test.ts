import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { watchRestartFiles } from './restart-file.ts'
import { createServer } from './server.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync('/tmp/fcgi-bridge-')
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => {
    vi.useRealTimers()
    rmSync(folder, { recursive: true })
  })
})

function watch(...files: string[]) {
  const server = createServer(() => {})
  const restart = vi.fn()
  watchRestartFiles(server, files, restart)
  onTestFinished(() => server.close())
  return { server, restart }
}

test.each([
  ['is created', () => {}, (file: string) => writeFileSync(file, '')],
  ['is touched', (file: string) => writeFileSync(file, ''), (file: string) => utimesSync(file, 1, 1)],
])('a file that %s restarts the program once', (_, before, change) => {
  const file = join(folder, 'restart.txt')
  before(file)
  const { restart } = watch(join(folder, 'other'), file)
  vi.advanceTimersByTime(2000)
  expect(restart).not.toHaveBeenCalled()
  change(file)
  vi.advanceTimersByTime(500)
  expect(restart).toHaveBeenCalledOnce()
  utimesSync(file, 2, 2)
  vi.advanceTimersByTime(2000)
  expect(restart).toHaveBeenCalledOnce()
})

test('a removed file and a missing folder have no effect', () => {
  const file = join(folder, 'restart.txt')
  writeFileSync(file, '')
  const { restart } = watch(file, join(folder, 'tmp/restart.txt'))
  rmSync(file)
  mkdirSync(join(folder, 'tmp'))
  vi.advanceTimersByTime(2000)
  expect(restart).not.toHaveBeenCalled()
})

test('a closed server watches no file', async () => {
  const file = join(folder, 'restart.txt')
  const { server, restart } = watch(file)
  await server.close()
  writeFileSync(file, '')
  vi.advanceTimersByTime(2000)
  expect(restart).not.toHaveBeenCalled()
})
