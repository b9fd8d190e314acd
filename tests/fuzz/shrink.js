// Reduces a session that causes a fault.

import { Finding, replay } from './fuzz.js'

/** @typedef {import('./session.js').Session} Session */

/**
 * Removes from `sessions` all that is not needed to reproduce the fault: whole sessions, then records, then halves of records.
 * @param {Session[]} sessions
 * @param {number} until The time limit, as a value of `performance.now()`.
 * @returns {Promise<Session[]>} The reduced sessions, or `sessions` if the fault did not occur again.
 */
export async function shrink(sessions, until) {
  if (!(await isFound(sessions))) return sessions
  let smallest = sessions
  let again = true
  while (again) {
    again = false
    for (const candidate of smallerThan(smallest)) {
      if (performance.now() > until) return smallest
      if (!(await isFound(candidate))) continue
      smallest = candidate
      again = true
      break
    }
  }
  return smallest
}

/** @param {Session[]} sessions */
async function isFound(sessions) {
  try {
    await replay(sessions)
    return false
  } catch (error) {
    if (error instanceof Finding) return true
    throw error
  }
}

/** @param {Session[]} sessions @returns {Generator<Session[]>} */
function* smallerThan(sessions) {
  const half = Math.ceil(sessions.length / 2)
  if (sessions.length > 1) {
    yield sessions.slice(0, half)
    yield sessions.slice(half)
    for (let i = 0; i < sessions.length; i++) yield sessions.toSpliced(i, 1)
    return
  }
  const [session] = sessions
  const { records } = session
  for (let i = records.length - 1; i >= 0 && records.length > 1; i--)
    yield [withRecords(session, records.toSpliced(i, 1))]
  if (session.writes.length > 1) yield [withRecords(session, records)]
}

/** A copy of the session that sends `records` in one write. @param {Session} session @param {Buffer[]} records @returns {Session} */
function withRecords(session, records) {
  return { ...session, records, writes: [records.length] }
}
