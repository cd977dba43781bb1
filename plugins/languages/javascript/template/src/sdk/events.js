// Reading events: the questions that plugins ask most.

import { data } from "playwarden:plugin/journal@0.1.0";

/**
 * Whether a task failed on a host and that was neither ignored nor rescued. Failed items of a loop and polls of an `async`
 * task are not meant: the result of the task itself follows.
 */
export function failed({ kind, marks }) {
  return kind.tag === "runner-on-failed" && !marks.ignored && !marks.rescued;
}

/**
 * Whether the action of a start is a template that nobody has filled in yet, so that it may be any module. A rule that
 * must not be evaded refuses it.
 */
export function actionIsUnknown({ action }) {
  return /\{[{%#]/.test(action);
}

/** The word of the journal for a kind or a status: `runner_on_ok`, `canceled`. */
export function name(of) {
  // `other` has the word itself: this version of the contract does not know it.
  return of.tag === "other" ? of.val : of.tag.replaceAll("-", "_");
}

/**
 * Reads `event_data` at a pointer, such as `/res/msg`; null when there is nothing. Works whatever `payload` says in
 * runner.toml.
 */
export function read(source, event, pointer = "") {
  return JSON.parse(data(source, event.counter, pointer) ?? "null");
}

/**
 * All of `event_data` as JSON; for the payload "full", which event handlers have. Empty for a result whose data did not
 * come with it: it is larger than 1 MiB, and asking for all of it could break the memory limit.
 */
export function details(source, event) {
  if (event.data !== null) return event.data;
  if (event.kind.tag.startsWith("runner-")) return "{}";
  return data(source, event.counter, "") ?? "{}";
}
