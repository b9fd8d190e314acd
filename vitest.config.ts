import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The files that take longest. Files that mostly wait alternate with files that use the CPU. A fresh clone has no record of durations.
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

/** Runs the long files first. Otherwise the last of them would run alone. */
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
    // For the tests of a file that are declared concurrent: they start servers, and mostly wait.
    maxConcurrency: 8,
    sequence: { sequencer: LongFirst },
    // Long enough for a busy machine, where a test of two seconds has taken sixteen. Only a test that hangs takes this long.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
  },
})
