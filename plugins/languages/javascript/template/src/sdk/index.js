// What plugins need besides the contract. It is yours: change what does not fit.
//
//   proceed, warn, cancel, fail   what a hook answers
//   table, u32, words, …          the table `config` of runner.toml
//   failed, name, read, details   events
//   journal                       the run so far: before(…), after(…)
//   log                           lines for the operator; `console` writes them too
//   output, state                 files of the run, and a small store that survives a restart
//   rfc3339, utf8, unsigned       what QuickJS does not have or does otherwise
//
// The contract's own functions are at hand too: import * as host from "playwarden:plugin/journal@0.1.0".

export * from "./answer.js";
export * from "./config.js";
export * from "./events.js";
export * as journal from "./journal.js";
export * as log from "./log.js";
export * as output from "./output.js";
export * as state from "./state.js";
export * from "./text.js";
