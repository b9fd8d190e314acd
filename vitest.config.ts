import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The longest, of each project: those that wait and those that work in turn. A clean clone does not know how long a file takes.
const FIRST = [
  'tests/limits/hostile-memory',
  'tests/cli/config',
  'tests/security/linear-time',
  'tests/servers/apache-fcgid',
  'tests/fuzz/fuzz',
  'tests/cli/shared-htaccess',
  'tests/servers/apache-cgi',
  'tests/pool/workers',
  'tests/cli/doctor',
  'tests/servers/lighttpd-cgi',
  'tests/pool/reload',
  'tests/monitoring/opentelemetry',
  'tests/doctor/apache-fcgid',
  'tests/monitoring/sentry',
  'tests/drain/rolls',
  'tests/monitoring/newrelic',
  'tests/conformance/conformance',
  'tests/cli/config-frameworks',
  'tests/doctor/nginx',
  'tests/cli/inspector',
  'tests/pool/status',
  'tests/monitoring/elastic',
  'tests/listening/register',
  'tests/cli/serve',
  'tests/soak/reloads',
  'tests/servers/nginx',
  'tests/pool/under-load',
  'tests/limits/memory',
  'packages/express-adapter/src/differential',
  'packages/core/src/connection/backpressure',
  'packages/client/src/flow',
  'packages/core/src/conformance/abort',
  'packages/core/src/conformance/process',
  'packages/conformance/src/conformance',
].map((name) => `/${name}.test.ts`)

const PROJECTS = ['isolated', 'packages']

/**
 * Begins with the long files: else the last of them runs alone. The files of a project follow one another: else its processes end
 * between them.
 */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId, project }: TestSpecification): number => {
      const index = FIRST.findIndex((name) => moduleId.endsWith(name))
      return PROJECTS.indexOf(project.name) * 1000 + (index < 0 ? FIRST.length : index)
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

// The packages' tests that replace global objects, listen to diagnostics channels of the whole process, or measure its memory.
const ALONE = [
  'packages/*/src/{light,observed}/**/*.test.ts',
  'packages/*/src/**/{*suite,observed,*garbage,leak,unhandled,*channel,*channels}.test.ts',
]

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'isolated',
          include: ['{examples,tests}/**/*.test.ts', ...ALONE],
        },
      },
      {
        extends: true,
        test: {
          name: 'packages',
          // Not `exclude`, which would replace the arguments --exclude.
          include: ['packages/**/*.test.ts', ...ALONE.map((pattern) => `!${pattern}`)],
          // A process that runs many files loads the packages once. That saves 40 % of the CPU time.
          isolate: false,
        },
      },
    ],
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
