export default { serverDir: '.', serveStatic: true, compatibilityDate: '2026-11-01' }
