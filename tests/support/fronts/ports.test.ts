import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { freePorts } from '../../../scripts/lib/free-ports.js'

async function listen(port: number): Promise<number> {
  const server: Server = createServer().listen(port, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('free ports are unique, not in use, and not given to a server on port 0', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  const given = await Promise.all(Array.from({ length: 50 }, () => listen(0)))
  for (const port of ports) {
    expect(port < Math.min(...given) || port > Math.max(...given)).toBe(true)
    await listen(port)
  }
  // Enough that ports are reused.
  const others = await freePorts(500)
  expect(others.filter((port) => ports.includes(port))).toEqual([])
})

test('concurrent processes get different ports, regardless of their ids', async () => {
  const module = new URL('../../../scripts/lib/free-ports.js', import.meta.url)
  const script = `
    Object.defineProperty(process, 'pid', { value: 1 })
    const { freePorts } = await import('${module}')
    console.log((await freePorts(3)).join())
    process.stdin.resume()`
  const ports = await Promise.all(
    [1, 2, 3].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.stdin.end())
      const [line] = await once(child.stdout, 'data')
      return String(line).trim().split(',')
    }),
  )
  expect(new Set(ports.flat()).size).toBe(9)
})
