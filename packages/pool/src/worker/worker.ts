import { subscribe } from 'node:diagnostics_channel'
import { type FastCgiServer, SERVER_CHANNEL } from '@fcgi-bridge/core'
import { HeartbeatPace } from './heartbeat-pace.ts'
import { Measurements } from './measurements.ts'
import {
  isPoolMessage,
  LISTEN_FDS_START,
  type WorkerConfig,
  type WorkerMessage,
  type WorkerStats,
} from './messages.ts'
import { waitUntilQueuesAreEmpty } from './queue.ts'
import { listenOnCopies, watchListening } from './readiness.ts'
import { RequestLog } from './requests.ts'
import { createWatchdog } from './watchdog.ts'

/** Connects this process to its pool: it reports readiness, heartbeats and limits, and exits when the master has ended. */
export function startWorker(config: WorkerConfig): void {
  const { sockets, heartbeatInterval, maxRequests, slowAfter } = config
  // The master does not know the id of this process before it has started it.
  process.env.LISTEN_PID = String(process.pid)
  process.env.LISTEN_FDS = String(sockets)
  // If a terminal sends a signal for the master, the whole process group gets it. It must not end a worker.
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {})
  // `serve` drains before the program ends: the master can start a replacement meanwhile.
  process.on('uncaughtExceptionMonitor', () => {
    if (process.listenerCount('uncaughtException') === 0) send({ fcgiBridgePool: 'failing' })
  })

  const requests = new RequestLog((count) => {
    if (count === maxRequests) send({ fcgiBridgePool: 'exhausted' })
  })
  const measurements = config.monitored ? new Measurements() : undefined
  const statsOf = (delay: number): WorkerStats => ({
    requests: requests.count,
    active: requests.active,
    rss: process.memoryUsage.rss(),
    delay: Math.round(delay),
    ...(measurements !== undefined && { details: measurements.take(requests.oldest) }),
  })

  if (config.copiesAt !== undefined) {
    const copies = { first: config.copiesAt, count: sockets, backlog: config.backlog }
    listenOnCopies(copies, () => send({ fcgiBridgePool: 'listening' }))
  }
  const beat = createWatchdog(config, () => requests.running())
  const descriptors = Array.from({ length: sockets }, (_, index) => LISTEN_FDS_START + index)
  const servers = watchListening(descriptors, {
    onReady: () => {
      // From now on a blocked event loop is reported.
      beat()
      send({ fcgiBridgePool: 'ready', stats: statsOf(0), next: config.idleHeartbeatInterval })
    },
    onElsewhere: (address) => send({ fcgiBridgePool: 'elsewhere', address }),
  })

  const end = async (): Promise<void> => {
    await waitUntilQueuesAreEmpty(servers)
    process.kill(process.pid, 'SIGTERM')
  }
  const fastCgiServers = new Set<FastCgiServer>()
  subscribe(SERVER_CHANNEL, (server) => fastCgiServers.add(server as FastCgiServer))
  process.on('message', (message) => {
    if (!isPoolMessage(message)) return
    if (message.fcgiBridgePool === 'stop') void end()
    else if (message.fcgiBridgePool === 'announce-close') {
      for (const server of fastCgiServers) server.announceClose()
    }
  })
  // Without its master a worker drains and exits. The socket closes with the last worker.
  process.once('disconnect', () => void end())
  // The channel must not keep a program alive that has nothing left to do.
  process.channel?.unref()

  // The requests since the last heartbeat count, too.
  process.on('exit', () => send({ fcgiBridgePool: 'heartbeat', stats: statsOf(0), next: 0 }))
  const pace = new HeartbeatPace(config)
  let expected = performance.now() + heartbeatInterval
  setInterval(() => {
    const now = performance.now()
    const delay = Math.max(0, now - expected)
    expected = now + heartbeatInterval
    beat()
    const events = requests.count + (measurements?.events ?? 0)
    const next = pace.tick(now, { events, active: requests.active, delay })
    if (next > 0) send({ fcgiBridgePool: 'heartbeat', stats: statsOf(delay), next })
    const slow = slowAfter > 0 ? requests.takeSlow(slowAfter) : []
    if (slow.length > 0) send({ fcgiBridgePool: 'slow', requests: slow })
  }, heartbeatInterval).unref()
}

function send(message: WorkerMessage): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}
