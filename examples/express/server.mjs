import { serve } from '@fcgi-bridge/express-adapter'
import app from './app.mjs'

serve(app)
