import { describeFront } from '../support/cases/describe-front.ts'
import { lighttpd } from '../support/fronts/lighttpd.ts'

describeFront(lighttpd)
