import { serve } from '@fcgi-bridge/fetch-adapter'
import { app } from '../apps/hono.js'
import { address, ready, variant } from './program.js'

// VARIANT: `on` or `off`: whether to replace the global Request and Response.
await serve(app, { ...address, overrideGlobalObjects: variant === 'on' })
ready()
