// Lets the compiler accept a function without a body: those of Go's own runtime.
