import { describeFront } from './cases/describe-front.ts'
import { caddy } from './fronts/caddy.ts'

describeFront(caddy)
