/** Requests at a time: far more than run at once, so that one is refused only where others were never given back. */
export const MAX_REQUESTS = 3000
