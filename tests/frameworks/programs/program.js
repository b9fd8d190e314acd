// The types of the table of programs.

/** @import { ProgramRequest } from '../requests.js' */

/**
 * @typedef {object} ServerStream
 * @property {string} path
 * @property {string} until Text of the first event.
 * @property {string} [disconnectsPath] A path whose body contains the number of clients that have disconnected.
 * @property {string} [method]
 * @property {readonly string[]} [headers]
 * @property {string} [body]
 */

/**
 * @typedef {object} FrameworkProgram
 * @property {string} name
 * @property {string} project A key of PROJECTS.
 * @property {readonly string[]} versionsOf The packages that it is about.
 * @property {readonly string[]} start The program's file and its arguments, in which `$PORT` is the port.
 * @property {string} [folder] The working directory, below that of the project.
 * @property {readonly string[]} [http] The file and arguments of its HTTP server, if `start` is a module that only exports an app.
 * @property {Readonly<Record<string, string>>} [env] Variables in addition to PORT.
 * @property {readonly string[]} [headers] Headers of all requests, which a front server would set: names and values in turn.
 * @property {boolean} [isStartedByApache] Whether it is also tested with mod_fcgid.
 * @property {readonly ProgramRequest[]} requests
 * @property {ServerStream} [stream]
 * @property {readonly string[]} [lacks] The features of features.js that the framework leaves to others, or does not have.
 * @property {readonly RegExp[]} [changing] What differs from one response to the next.
 */

export {}
