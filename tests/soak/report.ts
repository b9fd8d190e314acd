import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { required } from '../support/fronts/programs.ts'
import type { Sampled } from './soak-site.ts'
import type { Traffic } from './traffic.ts'
import type { Finding } from './verdict.ts'

const MIB = 1024 * 1024

interface Run {
  start: number
  end: number
  traffic: Traffic
  processes: readonly Sampled[]
  findings: readonly Finding[]
}

/** The report of a run: machine, versions, traffic and growth. */
export function report({ start, end, traffic, processes, findings }: Run): string {
  const minutes = (end - start) / 60_000
  const flat = findings.every(({ rises }) => rises.length === 0)
  return `# Soak

\`npm run soak\` writes this page. It sends mixed traffic through nginx and Apache's mod_fcgid to an Express app and to a fetch handler. Every few
seconds it reads the memory, handles and file descriptors of the apps' processes. It reads the heap after a garbage collection.

**${flat && traffic.failed === 0 ? 'Flat, and no request failed.' : 'Growth or failures: see below.'}**

![Memory, heap, handles and file descriptors of each process, over time](soak.svg)

|          |     |
| -------- | --- |
| taken    | ${new Date(start).toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${commit()}, for ${minutes.toFixed(1)} minutes |
| machine  | ${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores |
| versions | Node ${process.version}, nginx ${version('nginx', '-v')}, Apache ${version('apache2', '-v')}, mod_fcgid ${fcgidVersion()} |
| requests | ${traffic.count}, ${traffic.failed} of them failed |

| what clients did | times |
| ---------------- | ----: |
${Object.entries(traffic.done)
  .map(([kind, count]) => `| ${kind} | ${count} |`)
  .join('\n')}

Growth is the slope of a line through the samples of the second half. Of ${processes.length} processes
${findings.length} lived from the first half to the end; mod_fcgid replaces the others when it needs to.

| process | heap, MiB | growth | RSS, MiB | growth | handles, growth | descriptors at rest | growth | |
| ------- | --------: | -----: | -------: | -----: | --------------: | ------------------: | -----: | - |
${findings.map(row).join('\n')}
${traffic.failures.map(({ target, kind, at, error }) => `\n- ${at.toFixed(1)} s, ${target}, ${kind}: ${error}`).join('')}`
}

function row({ name, growth, last, rises }: Finding): string {
  const cells = [
    name,
    (last.heap / MIB).toFixed(1),
    signed(growth.heap / MIB),
    (last.rss / MIB).toFixed(1),
    signed(growth.rss / MIB),
    signed(growth.handles),
    last.descriptors,
    signed(growth.descriptors),
    rises.length === 0 ? 'flat' : `rises: ${rises.join(', ')}`,
  ]
  return `| ${cells.join(' | ')} |`
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`
}

function version(program: 'nginx' | 'apache2', flag: string): string {
  const { stdout, stderr } = spawnSync(required(program), [flag], { encoding: 'utf8' })
  return /\/([\d.]+)/.exec(stdout + stderr)![1]!
}

// Apache reports the module's version only in its Server header. The Debian package has the same version.
function fcgidVersion(): string {
  const module = readFileSync(required('/usr/lib/apache2/modules/mod_fcgid.so'), 'latin1')
  return /mod_fcgid\/([\d.]+)/.exec(module)![1]!
}

function commit(): string {
  const { stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  })
  return stdout.trim() || 'unknown'
}
