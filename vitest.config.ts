import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{packages,examples,tests}/**/*.test.ts'],
    // The servers under test, their front servers and their clients share the machine's cores.
    maxWorkers: 2,
    // Nothing here is to be quick: this is for what never comes. On a machine that is busy, what takes two seconds alone has
    // taken sixteen.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
