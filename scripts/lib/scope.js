// Which tests run where. CONTRIBUTING.md has the table and the reasons for users. `npm test` runs all of them, except those of frameworks.

/** The tests that need no front server, and depend on Node's sockets, streams and memory. They run under each supported Node. */
const ON_EACH_NODE = [
  'packages/client/',
  'packages/core/',
  'packages/express-adapter/',
  'packages/fetch-adapter/',
  'packages/pool/',
  'tests/client/peers.test.ts',
  'tests/conformance/adapters.test.ts',
  'tests/programs/listen.test.ts',
  'tests/limits/memory.test.ts',
]

/** The other packages' own tests: they run under the oldest and the newest Node. */
const ON_THE_NEWEST = ['packages/cli/', 'packages/conformance/', 'packages/testing/']

/** The tests that test-nodes.js runs under a Node. `isNewest` says that it is the newest one. */
export function testsOnNode(isNewest) {
  return isNewest ? [...ON_EACH_NODE, ...ON_THE_NEWEST] : ON_EACH_NODE
}

/**
 * The tests that test.js leaves to test-trixie.js, as patterns. They start slowly. Node 20 is tested with the other monitoring tools, and each
 * Node with the tests of what the tools hook into: `observed` of the adapters, and the channels of core.
 */
export const ONLY_ON_DEBIAN_13 = ['tests/monitoring/{datadog,elastic,newrelic}.test.ts']

/**
 * The tests that test-trixie.js does not run, as patterns. Some run under the newest Node anyway, and some need programs that are not in
 * the folder: compilers, a browser, git, pnpm. The others run under the oldest Node only, because they depend neither on the Node nor on
 * what differs between the front servers of Debian 12 and 13: Apache, Caddy and H2O have the same versions there.
 */
export const NOT_ON_DEBIAN_13 = [
  'packages/**',
  ...ON_EACH_NODE.filter((path) => path.startsWith('tests/')),
  'tests/cli/{conformance,inspector,ping,request}.test.ts',
  'tests/client/testing-helper.test.ts',
  'tests/conformance/**',
  'tests/doctor/{apache-fcgid,apache-proxy,caddy,h2o}.test.ts',
  'tests/frameworks/**',
  'tests/fuzz/fuzz.test.ts',
  'tests/limits/hostile-memory.test.ts',
  'tests/programs/{bench,packed}.test.ts',
  'tests/runtimes/**',
  'tests/security/linear-time.test.ts',
  'tests/servers/{apache-cgi,apache-php74}.test.ts',
  'tests/soak/**',
]
