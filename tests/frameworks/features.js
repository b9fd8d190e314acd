// What the requests of a program show. docs/frameworks.md has a table of it, and features.test.ts checks that it is complete.

import { UPLOAD } from './requests.js'

/** @import { FrameworkProgram } from './programs/program.js' */
/** @import { ProgramRequest } from './requests.js' */

/** @type {(request: ProgramRequest) => boolean} */
const isUpload = ({ body = '' }) => body.length >= UPLOAD.length

/** @type {(request: ProgramRequest) => boolean} */
const isForm = (request) =>
  !isUpload(request) && !!request.headers?.some((text) => /form-urlencoded|form-data/.test(text))

/** @type {(request: ProgramRequest) => boolean} */
const isPage = ({ path, headers = [], status = 200 }) =>
  status === 200 && (path === '/' || headers.includes('text/html'))

/** @type {Readonly<Record<string, (request: ProgramRequest) => boolean | undefined>>} */
const SHOWN = {
  pages: isPage,
  files: ({ path, asset }) => asset && (typeof path === 'function' || /\.\w+$/.test(path)),
  forms: isForm,
  uploads: isUpload,
  redirects: ({ status = 200 }) => status >= 300 && status < 400,
  cookies: ({ requiresCookies }) => requiresCookies,
  'not found': ({ status }) => status === 404,
  errors: ({ status }) => status === 500,
  conditional: ({ asset }) => asset,
}

/** The features, in the order of the table. */
export const FEATURES = [...Object.keys(SHOWN), 'streams']

/**
 * Returns whether the tests of a program show this feature.
 * @param {FrameworkProgram} program
 * @param {string} feature
 */
export function shows({ requests, stream }, feature) {
  return feature === 'streams' ? stream !== undefined : requests.some((request) => SHOWN[feature](request))
}
