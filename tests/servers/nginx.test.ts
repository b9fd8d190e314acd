import { describeFront } from '../support/cases/describe-front.ts'
import { nginx } from '../support/fronts/nginx.ts'

describeFront(nginx)
