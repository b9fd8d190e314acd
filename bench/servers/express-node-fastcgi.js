// The Express app on node-fastcgi.

import fastcgi from 'node-fastcgi'
import { createApp } from '../apps/express.js'
import { address, ready, variant } from './program.js'

fastcgi.createServer(createApp(variant)).listen(address, ready)
