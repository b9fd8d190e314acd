import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Program } from './program.ts'
import type { Site } from './site.ts'
import { siteForEachTest } from './site-for-each-test.ts'

let site: Site

siteForEachTest((each) => {
  site = each
})

test('all that a program printed is there when it has ended, whatever else ends at that time', async () => {
  const go = site.path('go')
  const wait = `echo ready; while [ ! -e "${go}" ]; do sleep 0.01; done; echo the last words`
  const program = site.start('/bin/sh', ['-c', wait])
  await program.printed(/^ready$/m)
  const other = site.start('/bin/echo', ['ready'])
  // What it printed and that it ended come to Node together; and while it reads the one, the first program ends as well.
  blockUntilEnded(other)
  await other.printed(/ready/)
  writeFileSync(go, '')
  blockUntilEnded(program)
  await program.exited
  expect(program.output).toBe('ready\nthe last words\n')
})

test('a program has ended, though another goes on with the same output', async () => {
  const program = new Program('/bin/sh', ['-c', 'sleep 60 & echo $!'])
  const [other] = await program.printed(/^\d+$/m)
  expect(await program.exited).toEqual({ code: 0, signal: null })
  process.kill(Number(other), 'SIGTERM')
})

/** Keeps Node from everything else until a process has ended that it does not know to have ended. */
function blockUntilEnded({ pid }: Program): void {
  while (!readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z '));
}
