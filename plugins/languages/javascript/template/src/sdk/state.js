// A small store of bytes of this plugin in this run; it survives a restart of the plugin.

import * as host from "playwarden:plugin/state@0.1.0";

import { accepted } from "./answer.js";

export const get = host.get;
export const remove = host.delete;

export function set(key, value) {
  accepted(() => host.set(key, value));
}
