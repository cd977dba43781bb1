// What the generated code in build/gen stands on, under the name that it has there.
module go.bytecodealliance.org/pkg

go 1.25
