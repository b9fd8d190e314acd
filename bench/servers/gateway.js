// The gateway in front of the app that VARIANT, a path, is the socket of. It keeps as many connections as the nginx of lib/nginx.js.
import { once } from 'node:events'
import { createGateway } from '@fcgi-bridge/client'
import { address, ready, variant } from './program.js'

const gateway = createGateway(variant, { maxIdleConnections: 64 })
gateway.listen(address)
await once(gateway, 'listening')
ready()
