import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { rememberRestartFiles, watchRestartFiles } from './restart-file.ts'

// Longer than many intervals.
const pollOptions = { timeout: 30_000 }

let folder: string
let marker: string
beforeEach(() => {
  folder = mkdtempSync('/tmp/fcgi-bridge-')
  marker = join(folder, 'marker')
  onTestFinished(() => rmSync(folder, { recursive: true }))
})

/** Watches files, and a marker that shows that changes have been noticed. Returns when the watch has begun. */
async function watch(...files: string[]) {
  const onChange = vi.fn()
  const stop = watchRestartFiles([...files, marker], onChange)
  onTestFinished(stop)
  await noticed(onChange)
  onChange.mockClear()
  return { onChange, stop }
}

// The first check of a file only reads its time, so change the marker until a change is noticed.
async function noticed(onChange: () => void): Promise<void> {
  let time = 1
  await expect
    .poll(() => {
      writeFileSync(marker, '')
      utimesSync(marker, time, time++)
      return vi.mocked(onChange).mock.calls.length
    }, pollOptions)
    .toBeGreaterThan(0)
}

test.each([
  ['is created', () => {}, (file: string) => writeFileSync(file, '')],
  ['is touched', (file: string) => writeFileSync(file, ''), (file: string) => utimesSync(file, 1, 1)],
])('a file that %s restarts the program once, if the watch stops then', async (_, before, change) => {
  const file = join(folder, 'restart.txt')
  before(file)
  const { onChange, stop } = await watch(join(folder, 'other'), file)
  onChange.mockImplementation(stop)
  expect(onChange).not.toHaveBeenCalled()
  change(file)
  await expect.poll(() => onChange.mock.calls.length, pollOptions).toBe(1)
  utimesSync(file, 2, 2)
  const other = vi.fn()
  onTestFinished(watchRestartFiles([marker], other))
  await noticed(other)
  expect(onChange).toHaveBeenCalledOnce()
})

test('a file that is removed, or a folder that is missing, changes nothing', async () => {
  const file = join(folder, 'restart.txt')
  writeFileSync(file, '')
  const { onChange } = await watch(file, join(folder, 'tmp/restart.txt'))
  rmSync(file)
  mkdirSync(join(folder, 'tmp'))
  rmSync(marker)
  writeFileSync(marker, '')
  await expect.poll(() => onChange.mock.calls.length, pollOptions).toBe(1)
})

test('nothing is noticed after the watch has stopped', async () => {
  const { onChange, stop } = await watch()
  stop()
  const other = vi.fn()
  onTestFinished(watchRestartFiles([marker], other))
  await noticed(other)
  expect(onChange).not.toHaveBeenCalled()
})

test('a file that is touched between rememberRestartFiles() and the watch restarts the program, once', async () => {
  const [touched, created, same, missing] = ['touched', 'created', 'same', 'missing'].map((name) =>
    join(folder, name),
  )
  writeFileSync(touched!, '')
  writeFileSync(same!, '')
  rememberRestartFiles([touched!, created!, same!, missing!])
  utimesSync(touched!, 1, 1)
  writeFileSync(created!, '')
  const calls = vi.fn()
  const unchanged = vi.fn()
  onTestFinished(watchRestartFiles([same!, missing!], unchanged))
  onTestFinished(watchRestartFiles([touched!, created!], calls))
  expect(calls).not.toHaveBeenCalled()
  const stopped = vi.fn()
  watchRestartFiles([touched!], stopped)()
  await expect.poll(() => calls.mock.calls.length, pollOptions).toBe(1)
  expect(unchanged).not.toHaveBeenCalled()
  expect(stopped).not.toHaveBeenCalled()
})
