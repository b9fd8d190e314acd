import { afterEach, expect, test, vi } from 'vitest'
import { required } from './programs.ts'

afterEach(() => vi.unstubAllEnvs())

test('a program is found in the PATH, and a daemon also where a PATH may not lead', () => {
  expect(required('spawn-fcgi')).toMatch(/\/spawn-fcgi$/)
  vi.stubEnv('PATH', '')
  expect(required('nginx')).toBe('/usr/sbin/nginx')
})

test('a program that is missing is an error that says how to install it', () => {
  vi.stubEnv('PATH', '')
  expect(() => required('spawn-fcgi')).toThrow(
    /^spawn-fcgi is not installed\. Run: apt-get install .*\bspawn-fcgi\b/,
  )
})
