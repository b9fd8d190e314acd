import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { currentUser, denialOf, look } from './socket-access.ts'

// Nobody: neither the owner of what the test makes, nor in its group.
const STRANGER = { uid: 4_000_001, groups: [4_000_001] }
const ME = currentUser()!

let folder: string
let path: string
let server: Server

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  chmodSync(folder, 0o755)
  mkdirSync(join(folder, 'run it'))
  path = join(folder, 'run it', 'app.sock')
  server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
})

afterEach(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

test.each([
  ['others', STRANGER, 0o660, /^chgrp 4000001 '.+app\.sock' && chmod 660 '/],
  ['the group', { ...STRANGER, groups: ME.groups }, 0o606, /^chmod g\+rw /],
  ['the owner', { ...ME, groups: [] }, 0o066, /^chmod u\+rw /],
])('a socket that %s may not write to', (_, user, mode, mend) => {
  chmodSync(path, mode)
  const denial = denialOf(path, user)!
  expect(denial.seen).toContain(`${path} is s`)
  expect(denial.mend).toMatch(mend)
  chmodSync(path, 0o666)
  expect(denialOf(path, user)).toBeUndefined()
})

test('a folder on the way that may not be passed through', () => {
  chmodSync(path, 0o666)
  chmodSync(join(folder, 'run it'), 0o750)
  const denial = denialOf(path, STRANGER)!
  expect(denial.seen).toMatch(
    /^The folder \S+\/run it is drwxr-x--- \S+: the user 4000001 may not pass through it/,
  )
  expect(denial.mend).toBe(`chmod o+x '${join(folder, 'run it')}'`)
})

test('what is there', () => {
  expect([path, folder, join(folder, 'none')].map((one) => look(one)?.isSocket())).toEqual([
    true,
    false,
    undefined,
  ])
})
