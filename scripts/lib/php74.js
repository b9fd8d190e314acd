// Makes a folder with PHP-FPM 7.4, the oldest PHP that `fcgi-bridge init php` supports. No supported Debian has it, so it is extracted from Debian
// 11 (bullseye), and runs with that release's loader and libraries.

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { asRoot, installPackages } from '../debian.js'
import { run, UserError } from './run.js'

// Outside the repository, so that all checkouts share it.
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fcgi-bridge')
const FOLDER = join(CACHE, 'php7.4')

/** Makes the folder unless it exists. It takes about 20 seconds, and 190 MB in the user's cache folder. Throws a `UserError` if it cannot. */
export function makePhp74() {
  if (existsSync(FOLDER)) return
  installPackages(
    ['mmdebstrap', 'debian-archive-keyring'],
    'The tests with PHP 7.4 need packages',
    'npm test',
  )
  mkdirSync(CACHE, { recursive: true })
  // Built under another name, so that an interrupted build is never mistaken for a complete one.
  const building = mkdtempSync(`${FOLDER}.`)
  try {
    const command = [
      'mmdebstrap',
      '--quiet',
      '--variant=extract',
      '--include=php7.4-fpm',
      'bullseye',
      building,
    ]
    const [file, ...args] = asRoot(command) ?? command
    console.log('Extracting PHP 7.4 from Debian 11…')
    if (!run(file, args)) throw new UserError(`Extracting PHP 7.4 to ${building} failed: see above.`)
    // Another process may have made the folder at the same time.
    if (!existsSync(FOLDER)) renameSync(building, FOLDER)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
}

/** The command that runs PHP-FPM 7.4, word by word. Throws an error if {@link makePhp74} has not run. */
export function php74Command() {
  const loader = join(FOLDER, 'lib/x86_64-linux-gnu/ld-2.31.so')
  if (!existsSync(loader))
    throw new Error(`There is no PHP 7.4 in ${FOLDER}. Run: npm test -- tests/servers/apache-php74.test.ts`)
  const libraries = ['lib', 'usr/lib'].map((name) => join(FOLDER, name, 'x86_64-linux-gnu'))
  return [loader, '--library-path', libraries.join(':'), join(FOLDER, 'usr/sbin/php-fpm7.4')]
}
