// Installs what the tests need outside the repository: Debian 12's front servers, and PHP 7.4. It needs no packages of npm, so .ci/run starts
// it while these are installed.

import { installFrontServers } from './debian.js'
import { makePhp74 } from './lib/php74.js'
import { main } from './lib/run.js'

await main(() => {
  installFrontServers()
  makePhp74()
})
