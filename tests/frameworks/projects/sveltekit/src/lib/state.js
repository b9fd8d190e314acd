export const state = { left: 0 }
