import { describeFront } from './cases/describe-front.ts'
import { apacheCgi } from './fronts/apache-cgi.ts'

describeFront(apacheCgi)
