// A package for each hook, under the name that the generated code in build/gen has for it.
module project/build/gen/exports

go 1.25
