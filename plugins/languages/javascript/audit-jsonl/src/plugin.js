// Writes who did what where to which end, a JSON object a line.
//
// What is acknowledged is written, and what is written is not written again.

import { config, factOf, factOfFinish, isWanted, lineOf } from "./fact.js";
import { details, journal, output, state } from "./sdk/index.js";

/** Who started the run, and what for, where the host knows it. */
let who = { user: null, reason: null };

/** @type {typeof import("playwarden:plugin/config-check@0.1.0")} */
export const configCheck = {
  schema: () => "",
  validate: () => config.problems(),
};

/** @type {typeof import("playwarden:plugin/lifecycle@0.1.0")} */
export const lifecycle = {
  start({ data }) {
    const { user = null, reason = null } = JSON.parse(data);
    who = { user, reason };
  },
  stop() {},
};

/** @type {typeof import("playwarden:plugin/event-handler@0.1.0")} */
export const eventHandler = {
  onEvents(source, events) {
    write(source, events);
    return events.at(-1)?.counter ?? 0;
  },
};

/** @type {typeof import("playwarden:plugin/finished-callback@0.1.0")} */
export const finishedCallback = {
  /** Writes what no event handler has written, so that the trail is whole wherever the plugin is named. */
  onFinished(finish) {
    for (const event of journal.after(finish.source, last())) write(finish.source, [event]);
    if (last() < finish.lastEvent) append([factOfFinish(who, finish)]);
  },
};

/** Writes those of the events that are facts and not there yet. */
function write(source, events) {
  const settings = config.read();
  const written = last();
  const wanted = events.filter((event) => event.counter > written && isWanted(event, settings));
  append(wanted.map((event) => factOf(source, who, event, details(source, event), settings)));
}

function append(facts) {
  const newest = facts.at(-1);
  if (!newest) return;
  output.appendLine("audit.jsonl", facts.map(lineOf).join("\n"));
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, BigInt(newest.counter), true);
  state.set("last", new Uint8Array(bytes.buffer));
}

/** Counter of the last line, as the state has it; 0 before the first. */
function last() {
  const bytes = state.get("last");
  return bytes ? Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)) : 0;
}
