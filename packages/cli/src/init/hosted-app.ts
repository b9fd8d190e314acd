import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { findModule } from '../app/load-module.ts'
import { appName, projectFolder } from '../app/project-folder.ts'
import { sharedFolderOfSite } from '../app/site-folder.ts'
import { REWRITE_COMMENT } from '../config/htaccess.ts'
import { programWords } from '../config/serve-words.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** An app on a shared host, and the folder of its site. All paths are absolute. */
export interface HostedApp {
  /** The folder that the web server serves. */
  site: string
  /** The folder of the app's project, which is not public. */
  project: string
  /** The log file of the app, in `project`. */
  log: string
  /** The name of the app among those of `project`. */
  name: string
  /** The folder of the socket of the process that holds the app, in `project`. */
  shared: string
  /** The command that runs `fcgi-bridge`, word by word. */
  program: readonly string[]
  /** The arguments of `fcgi-bridge serve` for the app, without an address. */
  serve: readonly string[]
}

/** A file to write. One that is not `required` may exist already. */
interface NewFile {
  path: string
  text: string
  required: boolean
}

/** Finds the app. Throws a Failure if there is none, or if its files would be public. */
export function hostedApp(app: string, flags: { output: string; as?: string; export?: string }): HostedApp {
  const site = resolve(flags.output)
  const file = findModule(app)
  const project = projectFolder(file)
  if (isInside(project, site)) {
    throw new Failure(
      EXIT.usage,
      `${project} is inside ${site}, so the files of the app would be public. Move the app out of the folder of the site.`,
    )
  }
  const log = join(project, 'tmp/app.log')
  const kind = [
    ...(flags.as === undefined ? [] : ['--as', flags.as]),
    ...(flags.export === undefined ? [] : ['--export', flags.export]),
  ]
  return {
    site,
    project,
    log,
    name: appName(file),
    shared: sharedFolderOfSite(file, site),
    program: programWords(),
    serve: [file, ...kind, '--log-file', log],
  }
}

function isInside(inner: string, outer: string): boolean {
  const path = relative(existsSync(outer) ? realpathSync(outer) : outer, inner)
  return path === '' || !(path === '..' || path.startsWith(`..${sep}`))
}

/**
 * Writes the files that do not exist, and creates their folder and that of the log. Returns the report for the user, with the text
 * of each file that exists already. Throws a Failure before it writes anything if a required file exists.
 */
export function writeNewFiles(
  { site, log }: Pick<HostedApp, 'site' | 'log'>,
  files: readonly NewFile[],
): string {
  const existing = files.find(({ path, required }) => required && existsSync(path))
  if (existing !== undefined) {
    throw new Failure(
      EXIT.failed,
      `${existing.path} exists already. Remove it, or name another folder with --output.`,
      { code: 'EEXIST' },
    )
  }
  const kept = files.filter(({ path }) => existsSync(path))
  const written = files.filter((file) => !kept.includes(file))
  try {
    mkdirSync(site, { recursive: true })
    mkdirSync(dirname(log), { recursive: true })
    for (const { path, text } of written) writeFileSync(path, text, { flag: 'wx' })
  } catch (error) {
    throw new Failure(EXIT.failed, `Cannot write the files: ${(error as Error).message}.`, { cause: error })
  }
  const parts = [`Wrote ${written.map(({ path }) => path).join(' and ')}.\n`]
  for (const file of kept) parts.push(adviceOnKept(file))
  return parts.join('\n')
}

function adviceOnKept({ path, text }: NewFile): string {
  const old = readFileSync(path, 'utf8')
  if (old.includes(text)) return `${path} has the lines of the site already.\n`
  return old.includes(REWRITE_COMMENT)
    ? `${path} has lines of another site or of an earlier \`fcgi-bridge init\`. Replace them with these:\n\n${text}`
    : `${path} exists already. Add these lines at its end:\n\n${text}`
}

/** Reads a template of `init/`, and replaces the values of its constants: `const NAME = …;` or `var NAME = …`. */
export function readTemplate(name: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(new URL(`../../init/${name}`, import.meta.url), 'utf8').replace(
    /^((?:const|var) (\w+) = ).*?(;?)$/gm,
    (line, head: string, constant: string, end: string) =>
      values[constant] === undefined ? line : `${head}${values[constant]}${end}`,
  )
}

/** A string literal of JavaScript and PHP. */
export function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`
}
