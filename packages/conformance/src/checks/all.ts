import type { Check } from '../check.ts'
import { ABORT_CHECKS } from './abort.ts'
import { BEGIN_END } from './begin-end.ts'
import { CLOSING } from './closing.ts'
import { HOSTILE } from './hostile.ts'
import { MANAGEMENT } from './management.ts'
import { MULTIPLEXING } from './multiplexing.ts'
import { NAME_VALUES } from './name-values.ts'
import { RECORDS } from './records.ts'
import { REQUEST_IDS } from './request-ids.ts'
import { RESPONDER } from './responder.ts'
import { ROLE_CHECKS } from './roles.ts'
import { STREAMS } from './streams.ts'

/** All checks, in the order in which they run. The last ones may crash a faulty server. */
export const CHECKS: readonly Check[] = [
  ...RECORDS,
  ...REQUEST_IDS,
  ...NAME_VALUES,
  ...MANAGEMENT,
  ...BEGIN_END,
  ...STREAMS,
  ...CLOSING,
  ...ABORT_CHECKS,
  ...MULTIPLEXING,
  ...RESPONDER,
  ...ROLE_CHECKS,
  ...HOSTILE,
]
