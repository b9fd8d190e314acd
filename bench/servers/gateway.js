// The gateway in front of an app. VARIANT is the path of the app's socket. The gateway keeps as many connections as the nginx in
// lib/nginx.js.
import { once } from 'node:events'
import { createGateway } from '@fcgi-bridge/client'
import { address, ready, variant } from './program.js'

const gateway = createGateway(variant, { maxIdleConnections: 64 })
gateway.listen(address)
await once(gateway, 'listening')
ready()
