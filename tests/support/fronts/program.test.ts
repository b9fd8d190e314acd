import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Program } from './program.ts'
import type { Site } from './site.ts'
import { siteForEachTest } from './site-for-each-test.ts'

let site: Site

siteForEachTest((each) => {
  site = each
})

test('the whole output of a program is available when it has exited, even if another exits at the same time', async () => {
  const go = site.path('go')
  const wait = `echo ready; while [ ! -e "${go}" ]; do sleep 0.01; done; echo the last line`
  const program = site.start('/bin/sh', ['-c', wait])
  await program.printed(/^ready$/m)
  const other = site.start('/bin/echo', ['ready'])
  // Node learns of the output and of the exit together. The first program exits while Node reads the output.
  blockUntilEnded(other)
  await other.printed(/ready/)
  writeFileSync(go, '')
  blockUntilEnded(program)
  await program.exited
  expect(program.output).toBe('ready\nthe last line\n')
})

test('a program has exited, even if another process still has its output open', async () => {
  const program = new Program('/bin/sh', ['-c', 'sleep 60 & echo $!'])
  const [other] = await program.printed(/^\d+$/m)
  expect(await program.exited).toEqual({ code: 0, signal: null })
  process.kill(Number(other), 'SIGTERM')
})

/** Blocks the event loop until a process has exited, before Node knows of the exit. */
function blockUntilEnded({ pid }: Program): void {
  while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '));
}
