import { describeFront } from '../support/cases/describe-front.ts'
import { haproxy } from '../support/fronts/haproxy.ts'

describeFront(haproxy)
