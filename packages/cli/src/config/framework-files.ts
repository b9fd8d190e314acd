import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The static files that a framework's build writes next to its program. */
interface FrameworkFiles {
  framework: string
  /** The absolute path of the folder. */
  folder: string
  /** The URL path of its files below the mount: `''`, or a path such as `/_next/static`. */
  url: string
  /**
   * The folder, below `folder`, whose file names contain a hash of their content: `''` for the whole folder, or a path such as `/_nuxt`.
   */
  hashed: string
}

interface Build {
  framework: string
  /** Relative to the folder of the program. */
  folder: string
  url: string
  hashed: string
  /** What the end of the program's path must match. */
  program: RegExp
}

// The folders that each framework's build writes.
const BUILDS: readonly Build[] = [
  {
    framework: 'Next.js',
    program: /\.next\/standalone\/(?:.+\/)?server\.js$/,
    folder: '.next/static',
    url: '/_next/static',
    hashed: '',
  },
  // A standalone build without its static files, which stay in the project.
  {
    framework: 'Next.js',
    program: /\.next\/standalone\/server\.js$/,
    folder: '../static',
    url: '/_next/static',
    hashed: '',
  },
  // A standalone folder that was copied to the server, or a project with its own server.
  { framework: 'Next.js', program: /[^/]+$/, folder: '.next/static', url: '/_next/static', hashed: '' },
  {
    framework: 'Nuxt',
    program: /server\/index\.mjs$/,
    folder: '../public',
    url: '',
    hashed: '/_nuxt',
  },
  {
    framework: 'TanStack Start',
    program: /server\/index\.mjs$/,
    folder: '../public',
    url: '',
    hashed: '/assets',
  },
  {
    framework: 'SvelteKit',
    program: /index\.js$/,
    folder: 'client',
    url: '',
    hashed: '/_app/immutable',
  },
  {
    framework: 'Astro',
    program: /server\/entry\.mjs$/,
    folder: '../client',
    url: '',
    hashed: '/_astro',
  },
  {
    framework: 'React Router',
    program: /[^/]+$/,
    folder: 'build/client',
    url: '',
    hashed: '/assets',
  },
]

/**
 * Finds the static files of the framework that built a program, by the folders that its build writes. `file` is the absolute path
 * of the program. Undefined if no known framework has built it.
 */
export function findFrameworkFiles(file: string): FrameworkFiles | undefined {
  for (const { program, framework, folder, url, hashed } of BUILDS) {
    const path = join(dirname(file), folder)
    if (program.test(file) && existsSync(`${path}${hashed}`)) return { framework, folder: path, url, hashed }
  }
  return undefined
}
