import { Secret } from '@adonisjs/core/helpers'
import { defineConfig } from '@adonisjs/core/http'

export const appKey = new Secret('a key of at least thirty-two characters')
export const http = defineConfig({ cookie: { secure: false } })
