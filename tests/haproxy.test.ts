import { describeFront } from './cases/describe-front.ts'
import { haproxy } from './fronts/haproxy.ts'

describeFront(haproxy)
