import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { freePorts } from '../../scripts/lib/free-ports.js'

async function listen(port: number): Promise<number> {
  const server: Server = createServer().listen(port, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('free ports: none twice, none that is in use, none that a server on port 0 is given', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  const given = await Promise.all(Array.from({ length: 50 }, () => listen(0)))
  for (const port of ports) {
    expect(port < Math.min(...given) || port > Math.max(...given)).toBe(true)
    await listen(port)
  }
  // So many that they come again.
  const others = await freePorts(500)
  expect(others.filter((port) => ports.includes(port))).toEqual([])
})
