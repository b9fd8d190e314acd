/** The environment variable that names the folder for the samples: a file PID.jsonl of each process. */
export const SAMPLES_VARIABLE = 'FCGI_BRIDGE_SOAK_SAMPLES'

/** The environment variable that says how long from one sample to the next, in milliseconds. */
export const INTERVAL_VARIABLE = 'FCGI_BRIDGE_SOAK_INTERVAL'

/** The environment variable by which scripts/soak.js says for how many minutes there is to be traffic. */
export const MINUTES_VARIABLE = 'FCGI_BRIDGE_SOAK_MINUTES'
