// The express package in version 4. @types/express describes version 5.
declare module 'express4' {
  export { default } from 'express'
}
