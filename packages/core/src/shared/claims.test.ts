import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync, readlinkSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { OpenSocket } from '../listen/open-socket.ts'
import { makeFolder } from '../testing/serving.ts'
import { Claims } from './claims.ts'

// Without the folder of the machine itself.
function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => basename(name))
  return names.filter((name) => name.startsWith('app.')).toSorted()
}

function claimsIn(folder: string): Claims {
  return new Claims(folder)
}

async function claim(claims: Claims, previous: number): Promise<OpenSocket | undefined> {
  const socket = await claims.claim(previous)
  onTestFinished(() => {
    socket?.deliverTo((connection) => connection.destroy())
    return socket?.listener.close()
  })
  return socket
}

async function isHeld(claims: Claims): Promise<boolean> {
  const socket = await claims.connectTo(claims.latest())
  socket?.destroy()
  return socket !== undefined
}

test('of several processes that claim at the same time, one holds the app', async () => {
  const folder = makeFolder()
  const results = await Promise.all(Array.from({ length: 8 }, () => claim(claimsIn(folder), 0)))
  expect(results.filter((socket) => socket !== undefined)).toHaveLength(1)
  expect(await isHeld(claimsIn(folder))).toBe(true)
  expect(filesIn(folder)).toEqual(['app.1', 'app.ready', 'app.sock'])
})

test("the holder's socket is private", async () => {
  const folder = makeFolder()
  await claim(claimsIn(folder), 0)
  const socket = realpathSync(`${folder}/app.sock`)
  expect(basename(socket)).toBe('app.1')
  expect(lstatSync(socket).mode & 0o777).toBe(0o600)
  expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700)
})

test('a holder that drains serves the connections that it has, and gives up the claim', async () => {
  const folder = makeFolder()
  const claims = claimsIn(folder)
  const socket = (await claim(claims, 0))!
  const connection = await claims.connectTo(1)
  onTestFinished(() => void connection?.destroy())
  let served = 0
  socket.deliverTo((accepted) => {
    served++
    accepted.destroy()
  })
  await socket.listener.drain(5000, () => false)
  expect(served).toBe(1)
  expect(await isHeld(claims)).toBe(false)
  expect(filesIn(folder)).toEqual(['app.1', 'app.sock'])
  expect(await claim(claims, 1)).toBeDefined()
  expect(claims.latest()).toBe(2)
})

test('a holder whose folder was deleted drains like any other', async () => {
  const folder = makeFolder()
  const claims = claimsIn(folder)
  const socket = (await claim(claims, 0))!
  rmSync(claims.folder, { recursive: true })
  await socket.listener.drain(0, () => false)
  expect(socket.listener.closed).toBeDefined()
})

test('a number that was claimed is never claimed again', async () => {
  const folder = makeFolder()
  const claims = claimsIn(folder)
  for (let number = 0; number < 12; number++) {
    const socket = await claim(claims, number)
    await socket!.listener.drain(0, () => false)
  }
  // A process that looked long ago wins a number that was removed, finds a higher one, and withdraws.
  expect(filesIn(folder)).not.toContain('app.2')
  expect(await claim(claims, 1)).toBeUndefined()
  expect(claims.latest()).toBe(12)
})

test('the claim of a process that was killed is free, and app.ready says so at once', async () => {
  const folder = makeFolder()
  const module = JSON.stringify(new URL('../../dist/shared/share.js', import.meta.url))
  const program = `const { share } = await import(${module})
    await share({ folder: ${JSON.stringify(folder)} })
    console.log('holds')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const claims = claimsIn(folder)
  expect(await isHeld(claims)).toBe(true)
  const ready = readlinkSync(`${folder}/app.ready`)
  expect(lstatSync(ready).isFile()).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await isHeld(claims)).toBe(false)
  expect(() => lstatSync(ready)).toThrow('ENOENT')
  expect(await claim(claims, 1)).toBeDefined()
})
