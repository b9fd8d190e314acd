import { describeFront } from './cases/describe-front.ts'
import { apacheProxy } from './fronts/apache-proxy.ts'

describeFront(apacheProxy)
