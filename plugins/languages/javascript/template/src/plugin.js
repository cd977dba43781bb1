// Cancels the run when more hosts failed than `max-failed-hosts` allows.

import { cancel, failed, proceed, table, u32 } from "./sdk/index.js";

// The table `config` of runner.toml: `maxFailedHosts` is its key `max-failed-hosts`.
const config = table({ maxFailedHosts: u32(0) });

/** @type {typeof import("playwarden:plugin/config-check@0.1.0")} */
export const configCheck = {
  schema: () => "",
  validate: () => config.problems(),
};

let hasSaid = false;

/** @type {typeof import("playwarden:plugin/cancel-policy@0.1.0")} */
export const cancelPolicy = {
  evaluate(_source, events, { run }) {
    const allowed = config.read().maxFailedHosts;
    if (hasSaid || run.hostsFailed <= allowed) return proceed();
    hasSaid = true;
    const text = `${run.hostsFailed} of ${run.hosts} hosts failed, more than the ${allowed} allowed`;
    return cancel(text, { code: "too-many-failed", event: events.findLast(failed) });
  },
};
