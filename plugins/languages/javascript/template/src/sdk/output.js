// Files of this plugin in the run's folder, and values for the jobs that follow.

import * as host from "playwarden:plugin/output@0.1.0";

import { accepted } from "./answer.js";
import { utf8 } from "./text.js";

export function append(name, data) {
  accepted(() => host.append(name, typeof data === "string" ? utf8(data) : data));
}

/** Adds a line and its end. */
export function appendLine(name, line) {
  accepted(() => host.appendLine(name, line));
}

/** Names an output of the job. The last value wins. */
export function publish(name, value) {
  accepted(() => host.publish(name, JSON.stringify(value)));
}
