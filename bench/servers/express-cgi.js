// Plain CGI: `serve` without an address responds to the one request of the environment.

import { serve } from '@fcgi-bridge/express-adapter'
import { createApp } from '../apps/express.js'

await serve(createApp(process.argv[2]))
