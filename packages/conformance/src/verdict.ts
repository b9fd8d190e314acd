/** The error of a check whose requirement the server does not meet. */
export class Unmet extends Error {
  /** What the server must do. */
  readonly expected: string
  /** What the server did instead. */
  readonly saw: string
  /** A description of the records that were sent. Empty if there was no connection. */
  readonly sent: string

  constructor(expected: string, saw: string, sent = '') {
    super(`Expected ${expected}. Received ${saw}.`)
    this.name = 'Unmet'
    this.expected = expected
    this.saw = saw
    this.sent = sent
  }
}

/** The error of a check that cannot test this server. */
export class NotApplicable extends Error {
  /** `reason` says what the server or its app does not support. */
  constructor(reason: string) {
    super(reason)
    this.name = 'NotApplicable'
  }
}
