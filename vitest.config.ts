import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The longest: those that wait and those that work in turn. A clean clone does not know how long a file takes.
const FIRST = [
  'fuzz/fuzz',
  'servers/apache-fcgid',
  'cli/config',
  'limits/hostile-memory',
  'doctor/nginx',
  'servers/apache-cgi',
  'servers/lighttpd-cgi',
  'cli/doctor',
  'security/linear-time',
  'pool/reload',
  'pool/workers',
  'monitoring/sentry',
  'monitoring/opentelemetry',
  'drain/rolls',
  'doctor/apache-proxy',
  'limits/memory',
  'doctor/lighttpd',
  'servers/nginx',
  'doctor/apache-fcgid',
  'servers/h2o',
  'doctor/behind-a-proxy',
  'servers/lighttpd',
  'servers/apache-proxy',
  'servers/caddy',
  'servers/haproxy',
].map((name) => `/tests/${name}.test.ts`)

/** Begins with the long files: else the last of them runs alone. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = FIRST.findIndex((name) => moduleId.endsWith(name))
      return index < 0 ? FIRST.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ['{packages,examples,tests}/**/*.test.ts'],
    // The servers under test, their front servers and their clients share the machine's cores: two workers leave two cores idle
    // for half of the time.
    maxWorkers: 3,
    // Of the tests that say that they run beside others: they start servers, and wait.
    maxConcurrency: 8,
    sequence: { sequencer: LongFirst },
    // Nothing here is to be quick: this is for what never comes. On a machine that is busy, what takes two seconds alone has
    // taken sixteen.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
