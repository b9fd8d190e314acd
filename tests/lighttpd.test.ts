import { describeFront } from './cases/describe-front.ts'
import { lighttpd } from './fronts/lighttpd.ts'

describeFront(lighttpd)
