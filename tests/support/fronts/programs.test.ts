import { afterEach, expect, test, vi } from 'vitest'
import { required } from './programs.ts'

afterEach(() => vi.unstubAllEnvs())

test('finds a program in the PATH, and a daemon also in folders that may not be in the PATH', () => {
  expect(required('spawn-fcgi')).toMatch(/\/spawn-fcgi$/)
  vi.stubEnv('PATH', '')
  expect(required('nginx')).toBe('/usr/sbin/nginx')
})

test('the error for a missing program says how to install it', () => {
  vi.stubEnv('PATH', '')
  expect(() => required('spawn-fcgi')).toThrow(
    /^spawn-fcgi is not installed\. Run: apt-get install .*\bspawn-fcgi\b/,
  )
})
