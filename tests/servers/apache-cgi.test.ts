import { describeFront } from '../support/cases/describe-front.ts'
import { apacheCgi } from '../support/fronts/apache-cgi.ts'

describeFront(apacheCgi)
