import { describeFront } from './cases/describe-front.ts'
import { h2o } from './fronts/h2o.ts'

describeFront(h2o)
