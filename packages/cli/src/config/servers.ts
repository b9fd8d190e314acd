/** What there are configs for. */
export const SERVERS = ['nginx', 'apache-fcgid', 'apache-proxy'] as const

export type ServerName = (typeof SERVERS)[number]
