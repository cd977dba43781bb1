// What the module `c` of Zig is translated from, at each build.
#include "plugin.h" // generated from wit/

#include <unistd.h>
