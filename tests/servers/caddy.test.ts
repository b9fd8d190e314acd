import { describeFront } from '../support/cases/describe-front.ts'
import { caddy } from '../support/fronts/caddy.ts'

describeFront(caddy)
