/** What there are configs for. */
export const SERVERS = ['nginx'] as const

export type ServerName = (typeof SERVERS)[number]
