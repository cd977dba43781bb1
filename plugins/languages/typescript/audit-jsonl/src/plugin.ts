// Writes who did what where to which end, a JSON object a line.
//
// What is acknowledged is written, and what is written is not written again.

import { config, factOf, factOfFinish, isWanted, lineOf } from "./fact.js";
import type { Fact, Who } from "./fact.js";
import { details, journal, output, state } from "./sdk/index.js";
import type { ConfigCheck, Event, EventHandler, FinishedCallback, Lifecycle, Source } from "./sdk/index.js";

/** Who started the run, and what for, where the host knows it. */
let who: Who = { user: null, reason: null };

export const configCheck: ConfigCheck = {
  schema: () => "",
  validate: () => config.problems(),
};

export const lifecycle: Lifecycle = {
  start({ data }) {
    const { user = null, reason = null } = JSON.parse(data);
    who = { user, reason };
  },
  stop() {},
};

export const eventHandler: EventHandler = {
  onEvents(source, events) {
    write(source, events);
    return events.at(-1)?.counter ?? 0;
  },
};

export const finishedCallback: FinishedCallback = {
  /** Writes what no event handler has written, so that the trail is whole wherever the plugin is named. */
  onFinished(finish) {
    for (const event of journal.after(finish.source, last())) write(finish.source, [event]);
    if (last() < finish.lastEvent) append([factOfFinish(who, finish)]);
  },
};

/** Writes those of the events that are facts and not there yet. */
function write(source: Source, events: Event[]): void {
  const settings = config.read();
  const written = last();
  const wanted = events.filter((event) => event.counter > written && isWanted(event, settings));
  append(wanted.map((event) => factOf(source, who, event, details(source, event), settings)));
}

function append(facts: Fact[]): void {
  const newest = facts.at(-1);
  if (!newest) return;
  output.appendLine("audit.jsonl", facts.map(lineOf).join("\n"));
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, BigInt(newest.counter), true);
  state.set("last", new Uint8Array(bytes.buffer));
}

/** Counter of the last line, as the state has it; 0 before the first. */
function last(): number {
  const bytes = state.get("last");
  return bytes ? Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)) : 0;
}
