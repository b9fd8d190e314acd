import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isAtLeast, SERVERS, versionOf } from './versions.ts'

const README = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')

const NAMES = {
  apache2: 'Apache',
  caddy: 'Caddy',
  h2o: 'H2O',
  haproxy: 'HAProxy',
  lighttpd: 'lighttpd',
  nginx: 'nginx',
} as const

test.each(SERVERS)('the README contains the tested version of %s', (server) => {
  const [, versions] = new RegExp(`^\\| ${NAMES[server]} +\\|(.*)\\|$`, 'm').exec(README)!
  const named = versions!.split('|').map((cell) => cell.trim())
  const isNamed = (version: string) => `${versionOf(server)}.`.startsWith(`${version}.`)
  expect(named.some(isNamed), `${versionOf(server)}, and the README has ${named.join(' and ')}`).toBe(true)
})

test('versions are compared as numbers', () => {
  expect(isAtLeast('nginx', '1.9')).toBe(true)
  expect(isAtLeast('nginx', versionOf('nginx'))).toBe(true)
  expect(isAtLeast('nginx', '1.100')).toBe(false)
})
