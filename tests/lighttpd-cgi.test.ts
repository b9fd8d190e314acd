import { describeFront } from './cases/describe-front.ts'
import { lighttpdCgi } from './fronts/lighttpd-cgi.ts'

describeFront(lighttpdCgi)
