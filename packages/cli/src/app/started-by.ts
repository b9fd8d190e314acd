/** Whether a front server, systemd or a CGI server started this program, so that it provides the socket. `listen` is from the flags. */
export function isStartedByFrontServer(listen: object): boolean {
  const { GATEWAY_INTERFACE, LISTEN_FDS, FCGI_BRIDGE_LISTEN } = process.env
  if (hasPlace(listen)) return false
  return GATEWAY_INTERFACE !== undefined || LISTEN_FDS !== undefined || !FCGI_BRIDGE_LISTEN
}

/** Whether the options give an address. `mode` and `backlog` alone are for the address in FCGI_BRIDGE_LISTEN. */
export function hasPlace(listen: object): boolean {
  return Object.entries(listen).some(
    ([name, value]) => value !== undefined && name !== 'mode' && name !== 'backlog',
  )
}
