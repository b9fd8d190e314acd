import { describeFront } from './cases/describe-front.ts'
import { apacheFcgid } from './fronts/apache-fcgid.ts'

describeFront(apacheFcgid)
