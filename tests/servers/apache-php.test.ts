import { describeFront } from '../support/cases/describe-front.ts'
import { apacheModPhp, apachePhpFpm } from '../support/fronts/apache-php.ts'

describeFront(apacheModPhp)
describeFront(apachePhpFpm)
