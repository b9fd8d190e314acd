/** Whether a front server, systemd or a CGI server started this program, so that it provides the socket. `listen` is from the flags. */
export function isStartedByFrontServer(listen: object): boolean {
  const { GATEWAY_INTERFACE, LISTEN_FDS, FCGI_BRIDGE_LISTEN } = process.env
  if (Object.keys(listen).some((name) => name !== 'mode' && name !== 'backlog')) return false
  return GATEWAY_INTERFACE !== undefined || LISTEN_FDS !== undefined || !FCGI_BRIDGE_LISTEN
}
