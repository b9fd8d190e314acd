import { defineConfig, drivers } from '@adonisjs/core/encryption'

export default defineConfig({
  default: 'chacha',
  list: { chacha: drivers.chacha20({ id: 'chacha', keys: ['a key of at least thirty-two characters'] }) },
})
