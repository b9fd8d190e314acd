import { defineHandler, getCookie } from 'nitro/h3'

export default defineHandler((event) => `hello ${getCookie(event, 'name')}`)
