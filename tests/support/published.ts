// The programs that the tests start load this project's packages as they are published. Bundles start with much less CPU time than the files
// of `tsc`, and the tests start a thousand programs. The tests' own process loads the files of `tsc`.
process.env.NODE_OPTIONS = '--conditions=published'
