// Lines for the operator, kept with the run: log.info("half done", { hosts: 12 }).

import * as host from "playwarden:plugin/log@0.1.0";

/** Whether a line of this level would be kept. */
export const enabled = host.enabled;

export const debug = (message, fields) => line("debug", message, fields);
export const info = (message, fields) => line("info", message, fields);
export const warn = (message, fields) => line("warn", message, fields);
export const error = (message, fields) => line("error", message, fields);

function line(level, message, fields = {}) {
  if (!enabled(level)) return;
  const texts = Object.entries(fields).map(([key, value]) => [key, String(value)]);
  host.log(level, message, texts);
}

// QuickJS has no console.
const console = {
  debug: (...parts) => debug(parts.map(String).join(" ")),
  log: (...parts) => info(parts.map(String).join(" ")),
  info: (...parts) => info(parts.map(String).join(" ")),
  warn: (...parts) => warn(parts.map(String).join(" ")),
  error: (...parts) => error(parts.map(String).join(" ")),
};
Object.assign(globalThis, { console });
