import { serve } from '@fcgi-bridge/express-adapter'
import { createApp } from '../apps/express.js'
import { address, ready, variant } from './program.js'

await serve(createApp(variant), address)
ready()
