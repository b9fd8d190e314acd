/** Limit of concurrent requests. Far more than run at once, so one is rejected only if earlier ones were not released. */
export const MAX_REQUESTS = 3000
