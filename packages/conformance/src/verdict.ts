/** What a check throws when the server does not do what it must. */
export class Unmet extends Error {
  /** What must happen. */
  readonly expected: string
  /** What happened instead. */
  readonly saw: string
  /** What had been sent; empty where nothing could be. */
  readonly sent: string

  constructor(expected: string, saw: string, sent = '') {
    super(`Expected ${expected}. Saw ${saw}.`)
    this.name = 'Unmet'
    this.expected = expected
    this.saw = saw
    this.sent = sent
  }
}

/** What a check throws when nothing can be asked of this server. */
export class NotApplicable extends Error {
  /** `reason` says what the server or its app does not have. */
  constructor(reason: string) {
    super(reason)
    this.name = 'NotApplicable'
  }
}
