import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The files of each project that take longest. Files that mostly wait alternate with files that use the CPU. A fresh clone has no record
// of durations.
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

const PROJECTS = ['tests', 'fronts', 'isolated', 'packages']

/**
 * Runs the long files first. Otherwise the last of them would run alone. Keeps the files of a project together. Otherwise the project's
 * processes would end in between.
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

// The tests whose own process only starts front servers and apps, and sends requests.
const FRONTS = ['tests/{doctor,drain,faults,servers}/**/*.test.ts']

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
          name: 'tests',
          include: ['{examples,tests}/**/*.test.ts', ...FRONTS.map((pattern) => `!${pattern}`)],
          setupFiles: ['tests/support/published.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'fronts',
          include: FRONTS,
          setupFiles: ['tests/support/published.ts'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          include: ALONE,
        },
      },
      {
        extends: true,
        test: {
          name: 'packages',
          // Do not use `exclude`, because it would replace the arguments --exclude.
          include: ['packages/**/*.test.ts', ...ALONE.map((pattern) => `!${pattern}`)],
          // A process that runs many files loads the packages once. That saves 40 % of the CPU time.
          isolate: false,
        },
      },
    ],
    // The next run, and the runs under the other Nodes, find the TypeScript files transformed.
    experimental: { fsModuleCache: true },
    // Node itself loads the build output of the other packages, as in an app. Otherwise vitest transforms each of its files.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
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
