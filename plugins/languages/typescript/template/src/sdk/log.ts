// Lines for the operator, kept with the run: log.info("half done", { hosts: 12 }).

import * as host from "playwarden:plugin/log@0.1.0";
import type { Level } from "playwarden:plugin/log@0.1.0";

type Fields = Record<string, unknown>;

/** Whether a line of this level would be kept. */
export const enabled = host.enabled;

export const debug = (message: string, fields?: Fields): void => line("debug", message, fields);
export const info = (message: string, fields?: Fields): void => line("info", message, fields);
export const warn = (message: string, fields?: Fields): void => line("warn", message, fields);
export const error = (message: string, fields?: Fields): void => line("error", message, fields);

function line(level: Level, message: string, fields: Fields = {}): void {
  if (!enabled(level)) return;
  const texts = Object.entries(fields).map(([key, value]): [string, string] => [key, String(value)]);
  host.log(level, message, texts);
}

// QuickJS has no console.
const console = {
  debug: (...parts: unknown[]): void => debug(parts.map(String).join(" ")),
  log: (...parts: unknown[]): void => info(parts.map(String).join(" ")),
  info: (...parts: unknown[]): void => info(parts.map(String).join(" ")),
  warn: (...parts: unknown[]): void => warn(parts.map(String).join(" ")),
  error: (...parts: unknown[]): void => error(parts.map(String).join(" ")),
};
Object.assign(globalThis, { console });

declare global {
  var console: Record<"debug" | "log" | "info" | "warn" | "error", (...parts: unknown[]) => void>;
}
