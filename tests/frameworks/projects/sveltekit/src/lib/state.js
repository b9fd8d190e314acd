export const state = { disconnects: 0 }
