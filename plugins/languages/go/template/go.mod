module project

go 1.25

// All of it is in this folder: nothing is downloaded.
require (
	go.bytecodealliance.org/pkg v0.0.0
	project/build/gen/exports v0.0.0
)

replace (
	go.bytecodealliance.org/pkg => ./sdk/abi
	project/build/gen/exports => ./sdk/exports
)
