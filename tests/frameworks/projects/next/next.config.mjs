export default {
  output: 'standalone',
  // Without this, Next looks for the workspace above.
  outputFileTracingRoot: import.meta.dirname,
  redirects: async () => [{ source: '/old', destination: '/hello', permanent: true }],
}
