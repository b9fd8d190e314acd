import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { currentUser, denialOf, statIfExists } from './socket-access.ts'

// A user who is neither the owner of the test's files nor in their group.
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
])('a socket that is not writable for %s', (_, user, mode, fix) => {
  chmodSync(path, mode)
  const denial = denialOf(path, user)!
  expect(denial.reason).toContain(`${path} is s`)
  expect(denial.fix).toMatch(fix)
  chmodSync(path, 0o666)
  expect(denialOf(path, user)).toBeUndefined()
})

test('a socket in a folder on which the user has no search permission', () => {
  chmodSync(path, 0o666)
  chmodSync(join(folder, 'run it'), 0o750)
  const denial = denialOf(path, STRANGER)!
  expect(denial.reason).toMatch(
    /^The folder \S+\/run it is drwxr-x--- \S+: the user 4000001 has no search permission on it/,
  )
  expect(denial.fix).toBe(`chmod o+x '${join(folder, 'run it')}'`)
})

test('statIfExists() of a socket, a folder, and a file that does not exist', () => {
  expect([path, folder, join(folder, 'none')].map((one) => statIfExists(one)?.isSocket())).toEqual([
    true,
    false,
    undefined,
  ])
})
