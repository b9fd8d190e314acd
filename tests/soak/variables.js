/** The environment variable with the folder for the samples. Each process writes PID.jsonl there. */
export const SAMPLES_VARIABLE = 'FCGI_BRIDGE_SOAK_SAMPLES'

/** The environment variable with the time between two samples, in milliseconds. */
export const INTERVAL_VARIABLE = 'FCGI_BRIDGE_SOAK_INTERVAL'

/** The environment variable in which scripts/soak.js passes the duration of the traffic, in minutes. */
export const MINUTES_VARIABLE = 'FCGI_BRIDGE_SOAK_MINUTES'
