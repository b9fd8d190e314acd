import { describeFront } from '../support/cases/describe-front.ts'
import { apacheProxy } from '../support/fronts/apache-proxy.ts'

describeFront(apacheProxy)
