import { describeFront } from '../support/cases/describe-front.ts'
import { h2o } from '../support/fronts/h2o.ts'

describeFront(h2o)
