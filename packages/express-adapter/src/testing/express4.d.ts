// The same package in an older version; @types/express is for the newer one.
declare module 'express4' {
  export { default } from 'express'
}
