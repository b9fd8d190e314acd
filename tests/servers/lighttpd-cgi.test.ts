import { describeFront } from '../support/cases/describe-front.ts'
import { lighttpdCgi } from '../support/fronts/lighttpd-cgi.ts'

describeFront(lighttpdCgi)
