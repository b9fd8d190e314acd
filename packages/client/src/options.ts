/**
 * Throws TypeError for an option that is not among `names`, because a misspelled option would be ignored silently. `of` names the
 * function or class in the message.
 */
export function checkOptionNames(of: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`The options of ${of} must be an object.`)
  }
  for (const name of Object.keys(options)) {
    if (names.has(name)) continue
    throw new TypeError(
      `${of} has no option ${JSON.stringify(name)}. Its options are ${[...names].join(', ')}.`,
    )
  }
}

/** Throws TypeError for an option among `names` that is set, but not to a number of 0 or more. */
export function checkNumbers(options: object, names: readonly string[]): void {
  for (const name of names) {
    const value = (options as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || (typeof value === 'number' && value >= 0)) continue
    throw new TypeError(`${name} must be a number of 0 or more, but is ${JSON.stringify(value)}.`)
  }
}
