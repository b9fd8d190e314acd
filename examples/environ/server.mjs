import { serve } from '@fcgi-bridge/fetch-adapter'
import app from './app.mjs'

serve(app)
