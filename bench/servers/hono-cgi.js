// Plain CGI: `serve` without an address responds to the one request of the environment.

import { serve } from '@fcgi-bridge/fetch-adapter'
import { app } from '../apps/hono.js'

await serve(app)
