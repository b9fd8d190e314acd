// The constants of the FastCGI 1.0 specification (section 8), with the names that the specification gives them.

/** The only protocol version (section 3.3). */
export const FCGI_VERSION_1 = 1

/** The length of a record header, in bytes (section 3.3). */
export const FCGI_HEADER_LEN = 8

/** The largest content of a record, in bytes: contentLength has 16 bits (section 3.3). */
export const FCGI_MAX_LENGTH = 0xffff

/** The request id of management records (section 3.3). */
export const FCGI_NULL_REQUEST_ID = 0

// Record types (section 8).
/** The front server begins a request (section 5.1). */
export const FCGI_BEGIN_REQUEST = 1
/** The front server aborts a request (section 5.4). */
export const FCGI_ABORT_REQUEST = 2
/** The application ends a request (section 5.5). */
export const FCGI_END_REQUEST = 3
/** The stream of name-value pairs of a request (section 5.2). */
export const FCGI_PARAMS = 4
/** The stream of the request body (section 5.3). */
export const FCGI_STDIN = 5
/** The stream of the response (section 5.3). */
export const FCGI_STDOUT = 6
/** The stream of output for the front server's error log (section 5.3). */
export const FCGI_STDERR = 7
/** The stream of the file that a filter processes (section 5.3). */
export const FCGI_DATA = 8
/** The front server queries variables of the application (section 4.1). */
export const FCGI_GET_VALUES = 9
/** The reply to FCGI_GET_VALUES (section 4.1). */
export const FCGI_GET_VALUES_RESULT = 10
/** The reply to a management record of an unknown type (section 4.2). */
export const FCGI_UNKNOWN_TYPE = 11

/** A flag of FCGI_BEGIN_REQUEST: the application keeps the connection open after the response (section 5.1). */
export const FCGI_KEEP_CONN = 1

// Roles in FCGI_BEGIN_REQUEST (section 5.1).
/** The role that responds to HTTP requests (section 6.2). */
export const FCGI_RESPONDER = 1
/** The role that decides whether a request is allowed (section 6.3). */
export const FCGI_AUTHORIZER = 2
/** The role that also processes a file of the front server (section 6.4). */
export const FCGI_FILTER = 3

// protocolStatus in FCGI_END_REQUEST (section 5.5).
/** The normal end of a request. */
export const FCGI_REQUEST_COMPLETE = 0
/** A request was refused because the application does not multiplex connections. */
export const FCGI_CANT_MPX_CONN = 1
/** A request was refused because the application has reached a limit. */
export const FCGI_OVERLOADED = 2
/** A request was refused because the application does not have the role. */
export const FCGI_UNKNOWN_ROLE = 3

// Variables of FCGI_GET_VALUES (section 4.1).
/** The maximum number of connections. */
export const FCGI_MAX_CONNS = 'FCGI_MAX_CONNS'
/** The maximum number of running requests. */
export const FCGI_MAX_REQS = 'FCGI_MAX_REQS'
/** `1` if the application multiplexes connections, otherwise `0`. */
export const FCGI_MPXS_CONNS = 'FCGI_MPXS_CONNS'
