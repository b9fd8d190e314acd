import { join } from 'node:path'

/** The path of the control socket: `--control`, FCGI_BRIDGE_CONTROL, or a file in systemd's RUNTIME_DIRECTORY. */
export function controlPath(
  { control }: { control?: string },
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  if (control !== undefined) return control
  const folder = env.RUNTIME_DIRECTORY?.split(':')[0]
  return folder ? join(folder, 'fcgi-bridge.ctl') : undefined
}
