import { readdirSync, readlinkSync } from 'node:fs'
import { Peer } from '../../packages/core/src/testing/peer.ts'
import type { Listening } from '../fronts/ports.ts'
import type { Process } from '../fronts/processes.ts'
import type { Program } from '../fronts/program.ts'
import { Site } from '../fronts/site.ts'

/** An app that runs, and where. */
export interface RunningApp {
  name: string
  at: Listening
  program: Program
}

/** A site whose processes a test may kill. */
export class FaultSite extends Site {
  /** The apps that were started, not those that a front server started. */
  readonly apps: RunningApp[] = []

  override async startApp(...args: Parameters<Site['startApp']>): ReturnType<Site['startApp']> {
    const started = await super.startApp(...args)
    this.apps.push({ name: args[0], ...started })
    return started
  }

  /** Starts another app in the place of one that has ended. */
  async restart({ name, at }: RunningApp): Promise<Program> {
    const listen = 'path' in at ? at.path : `${at.host}:${at.port}`
    return (await this.startApp(name, listen)).program
  }

  /** The front server's processes. */
  fronts(): Process[] {
    const apps = this.apps.map(({ program }) => program.pid)
    return this.processes().filter(({ pid }) => !apps.includes(pid))
  }

  /** Kills the front server, all of it. */
  killFronts(): void {
    for (const { pid } of this.fronts()) process.kill(pid, 'SIGKILL')
  }
}

/** How many sockets a process has open. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:')
    } catch {
      return false // It was closed while we looked.
    }
  }).length
}

/** Asks an app with no front server in between; gives its whole answer. */
export async function askDirectly(at: Listening, target: string): Promise<string> {
  const peer = await Peer.connect(at)
  try {
    peer.get(1, { REQUEST_URI: target })
    return (await peer.answer(1)).stdout
  } finally {
    peer.destroy()
  }
}
