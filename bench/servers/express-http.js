import { createServer } from 'node:http'
import { createApp } from '../apps/express.js'
import { address, ready, variant } from './program.js'

createServer(createApp(variant)).listen(address, ready)
