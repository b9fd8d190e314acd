import { describeFront } from './cases/describe-front.ts'
import { nginx } from './fronts/nginx.ts'

describeFront(nginx)
