import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{packages,examples,tests}/**/*.test.ts'],
    // The servers under test, their front servers and their clients share the machine's cores.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
})
